# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs that a task declares: how its table is read, and what it allows."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.knobs import (
    LONGEST_SOURCE,
    KnobError,
    flat,
    knobs_in_run,
    knobs_of,
    read_knobs,
    table_in,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, TrainingError
from hypothesis import given
from hypothesis import strategies as st

TABLE = {
    "strength": {"default": 0.1, "minimum": 0, "maximum": 1},
    "optimizer.name": {"default": "sgd", "choices": ["sgd", "adam"]},
    "layers": 2,
    "flip": False,
}


def test_a_table_is_read_and_not_run() -> None:
    assert table_in(f"import nothing\nKNOBS = {TABLE!r}\nraise RuntimeError\n") == TABLE
    assert table_in(f"KNOBS: dict[str, object] = {TABLE!r}\n") == TABLE
    assert table_in("x" * LONGEST_SOURCE + "(") == {}  # no table, and too long to be parsed for it
    assert table_in("def f():\n    KNOBS = 1\nother = 2\n") == {}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("KNOBS = {", "it is no Python"),
        ("KNOBS = {'a': __import__('os').system('true')}", "must be a plain literal"),
        ("KNOBS = dict(a=1)", "must be a plain literal"),
        ("KNOBS = {[]: 1}", "must be a plain literal"),
        ("KNOBS = " + "(" * 5000 + ")" * 5000, "it is no Python|must be a plain literal"),
        ("\x00", "it is no Python|must be a plain literal"),
        ("KNOBS = {}\nx = [" + "[]," * (LONGEST_SOURCE // 3) + "]", "and a file with KNOBS at most"),
    ],
)
def test_what_is_no_literal_is_refused(source: str, message: str) -> None:
    with pytest.raises(KnobError, match=message):
        table_in(source)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (7, "KNOBS must be a dictionary of at most 200 entries"),
        ({str(number): 1 for number in range(201)}, "KNOBS must be a dictionary of at most 200 entries"),
        ({1: 1}, "must be called by letters"),
        ({"num-rounds": 1}, "is a training variable already"),
        ({"a": [1]}, "must be text, a number, true or false"),
        ({"a": None}, "must be text, a number, true or false"),
        ({"a": {}}, "has no default"),
        ({"a": {"default": 1, "min": 0}}, "says 'min' but takes only default, minimum, maximum, choices"),
        ({"a": {"default": 1, "minimum": float("nan")}}, "has a bound that is no finite number"),
        ({"a": {"default": True, "minimum": 0}}, "its default is no number"),
        ({"a": {"default": 1, "minimum": 3, "maximum": 2}}, "has a minimum of 3 above its maximum of 2"),
        ({"a": {"default": 1, "choices": ["x"]}}, "has choices, which must be a list of texts for a text"),
        ({"a": {"default": "x", "choices": "x"}}, "has choices, which must be a list of texts for a text"),
        ({"a": {"default": "x", "choices": ["x"] * 201}}, "has 201 choices but may have at most 200"),
        ({"a": {"default": "y", "choices": ["x"]}}, "has the default 'y', which must be one of x"),
        ({"a": float("inf")}, "has the default inf, which must be a number"),
        ({"a": 1, "a.b": 2}, "is a value and a table of others"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table: object, message: str) -> None:
    with pytest.raises(KnobError, match=message):
        knobs_of(table)


def test_a_default_has_one_home() -> None:
    assert knobs_of({"depth": {"maximum": 9}}, {"depth": 2})["depth"].default == 2
    with pytest.raises(KnobError, match="has the default 3 but pyproject.toml says 2; give it in one place"):
        knobs_of({"depth": 3}, {"depth": 2})
    with pytest.raises(KnobError, match="has the default 2.0 but pyproject.toml says 2"):
        knobs_of({"depth": 2.0}, {"depth": 2})


def test_values_are_read_in_the_type_of_their_default() -> None:
    values, problems = read_knobs(
        {"strength": "1", "layers": "3", "flip": "no", "optimizer.name": "adam"}, knobs_of(TABLE)
    )
    assert (values, problems) == ({"strength": 1.0, "layers": 3, "flip": False, "optimizer.name": "adam"}, [])
    assert [type(value) for value in values.values()] == [float, int, bool, str]


def test_a_whole_number_may_be_as_large_as_flower_takes() -> None:
    rows = knobs_of({"salt": 0})
    assert read_knobs({"salt": 2**63 - 1}, rows) == ({"salt": 2**63 - 1}, [])
    assert [problem.rule for problem in read_knobs({"salt": 2**63}, rows)[1]] == [f"must be at most {2**63 - 1}"]
    assert [problem.rule for problem in read_knobs({"salt": -(2**64)}, rows)[1]] == [f"must be at least -{2**63 - 1}"]


def test_the_run_holds_a_knob_to_its_bounds_again() -> None:
    with pytest.raises(TrainingError) as refusal:
        Training.from_run_config({"strength": 3.0, "optimizer.name": "sgdd", "client-lr": -1.0}, knobs_of(TABLE))
    assert str(refusal.value).splitlines() == [
        "client-lr is -1.0 but must be above 0. Correct it, or leave it unset for 0.1.",
        "strength is 3.0 but must be from 0 to 1. Correct it, or leave it out for 0.1.",
        "optimizer.name is 'sgdd' but must be one of sgd, adam. Correct it, or leave it out for 'sgd'.",
    ]


def test_a_run_without_a_knob_has_its_default_and_one_without_knobs_has_its_hash_of_before() -> None:
    plain = Training.from_run_config({})
    assert Training.from_run_config({"depth": 7}, {}, given=()).configuration_hash == plain.configuration_hash
    tuned = Training.from_run_config({}, knobs_of(TABLE))
    assert tuned.extra == {"strength": 0.1, "optimizer.name": "sgd", "layers": 2, "flip": False}
    assert tuned.configuration_hash != plain.configuration_hash
    assert (
        tuned.configuration_hash == Training.from_run_config(tuned.run_config, knobs_of(TABLE), ()).configuration_hash
    )


def test_a_run_knows_the_value_of_a_knob_whose_default_is_elsewhere() -> None:
    rows = knobs_in_run({"layers": {"maximum": 8}, "rate": 0.5}, {"layers": 3, "rate": 0.7, "seed": 1})
    assert {key: row.default for key, row in rows.items()} == {"layers": 3, "rate": 0.5}
    with pytest.raises(KnobError, match="has the default 9, which must be at most 8"):
        knobs_in_run({"layers": {"maximum": 8}}, {"layers": 9})


def test_tables_in_one_another_are_keys_with_dots() -> None:
    assert dict(flat({"a": {"b": {"c": 1}, "d": 2}, "e.f": 3})) == {"a.b.c": 1, "a.d": 2, "e.f": 3}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_any_table_is_rows_or_a_knob_error(table: object) -> None:
    try:
        knobs_of(table)
    except KnobError:
        return
    assert isinstance(table, dict)


@given(st.booleans() | st.integers() | st.floats() | st.text() | st.none() | st.lists(st.integers()))
def test_any_value_is_read_or_told(value: object) -> None:
    for key in TABLE:
        values, problems = read_knobs({key: value}, knobs_of(TABLE))
        assert len(values) + len(problems) <= 1
        for problem in problems:
            assert problem.message
