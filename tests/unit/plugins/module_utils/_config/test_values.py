# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value is read as what it can only mean, and anything else is refused in words."""

from __future__ import annotations

import datetime
import tomllib

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset, short_hash, show, to_toml
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue, parse
from hypothesis import given
from hypothesis import strategies as st

NAMING = "must be 1 to 63 lower-case letters, digits and hyphens, the first not a hyphen, and not previous"

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**400, max_value=10**5000)
    | st.floats()
    | st.text()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.complex_numbers()
    | st.from_regex(r"[+-]?[0-9_.eE]{1,12}", fullmatch=True),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("num_rounds", 5, 5),
        ("num_rounds", "5", 5),
        ("num_rounds", 5.0, 5),
        ("num_rounds", "5.0", 5),
        ("num_rounds", " 5 ", 5),
        ("seed", "1e3", 1000),
        ("seed", 4294967295, 4294967295),
        ("proximal_mu", 1, 1.0),
        ("proximal_mu", "1", 1.0),
        ("proximal_mu", -0.0, 0.0),
        ("tau", "1e-3", 0.001),
        ("tau", ".5", 0.5),
        ("checkpoint_enabled", True, True),
        ("checkpoint_enabled", "YES", True),
        ("checkpoint_enabled", "true", True),
        ("checkpoint_enabled", 1, True),
        ("checkpoint_enabled", "NO", False),
        ("checkpoint_enabled", "False", False),
        ("checkpoint_enabled", 0, False),
        ("strategy", " Krum ", "Krum"),
        ("training_name", "digits-2", "digits-2"),
        ("training_name", 2026, "2026"),
        ("checkpoint_path", "/mnt/a-b_c+d=e@f,g", "/mnt/a-b_c+d=e@f,g"),
        ("checkpoint_path", "/mnt/..data", "/mnt/..data"),
    ],
)
def test_a_value_is_read_as_its_type(name, value, parsed):
    result = parse(BY_NAME[name], value)
    assert (type(result), repr(result)) == (type(parsed), repr(parsed))


WHOLE = "must be a whole number, at least 1"


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("num_rounds", True, WHOLE),
        ("num_rounds", "many", WHOLE),
        ("num_rounds", 2.5, WHOLE),
        ("num_rounds", "1_000", WHOLE),
        ("num_rounds", "٣", WHOLE),
        ("num_rounds", [3], WHOLE),
        ("num_rounds", float("nan"), WHOLE),
        ("num_rounds", "9" * 5000, WHOLE),
        ("num_rounds", 0, "must be at least 1"),
        ("num_rounds", 2**31, "must be at most 2147483647"),
        ("num_rounds", datetime.date(2026, 11, 22), WHOLE),
        ("seed", 2**32, "must be from 0 to 4294967295"),
        ("trim_beta", 0.7, "must be above 0 and below 0.5"),
        ("trim_beta", 0.5, "must be above 0 and below 0.5"),
        ("trim_beta", 0, "must be above 0 and below 0.5"),
        ("trim_beta", "inf", "must be a number above 0 and below 0.5"),
        ("trim_beta", float("inf"), "must be a number above 0 and below 0.5"),
        ("trim_beta", False, "must be a number above 0 and below 0.5"),
        ("server_lr", "1e999", "must be a number above 0"),
        ("server_lr", 10**400, "must be a number above 0 that is not as large"),
        ("fraction_evaluate", -0.1, "must be from 0 to 1"),
        ("checkpoint_enabled", "maybe", "must be true or false"),
        ("checkpoint_enabled", 2, "must be true or false"),
        ("checkpoint_enabled", {}, "must be true or false"),
        ("resume", "sometimes", "must be one of auto, never, require"),
        ("resume", True, "must be one of auto, never, require"),
        (
            "training_name",
            "No Spaces",
            NAMING,
        ),
        ("training_name", "a" * 64, NAMING),
        ("training_name", "../a", NAMING),
        *(
            ("checkpoint_path", path, f"must be {BY_NAME['checkpoint_path'].pattern_rule}")
            for path in ("relative", "/", "//a", "/a/../b", "/..", "/a\nb", "/a\x00", "/a b", "/a%b", 1.5)
        ),
    ],
)
def test_a_bad_value_is_refused_with_its_rule(name, value, rule):
    with pytest.raises(BadValue) as caught:
        parse(BY_NAME[name], value)
    assert str(caught.value) == rule


@pytest.mark.parametrize("value", [None, "", " ", "\n\t"])
def test_nothing_and_blanks_are_unset(value):
    assert is_unset(value)


@pytest.mark.parametrize("value", [0, False, "0", [], {}, 0.0])
def test_a_false_value_is_set(value):
    assert not is_unset(value)


@given(st.sampled_from(VARIABLES), anything)
def test_whatever_the_value_the_result_is_of_the_type_or_a_rule(row, value):
    rule = ""
    try:
        value = parse(row, value)
    except BadValue as bad:
        rule = str(bad)
    assert rule.startswith("must be ") or (type(value).__name__, parse(row, value)) == (row.type, value)


@given(anything)
def test_whatever_the_value_it_is_shown_on_one_short_line(value):
    text = show(value)
    assert text.isprintable()
    assert 0 < len(text) <= 60


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "unset"), (True, "true"), (0.7, "0.7"), ("a\nb", r"'a\nb'"), ("it's", '"it\'s"'), (b"\x00", r"b'\x00'")],
)
def test_a_value_is_shown_as_a_person_writes_it(value, shown):
    assert show(value) == shown


@given(
    st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
def test_a_value_survives_toml(value):
    read = tomllib.loads(f"key = {to_toml(value)}")["key"]
    assert (type(read), read) == (type(value), value)


def test_a_person_compares_eight_digits_of_a_hash():
    assert [short_hash(digest) for digest in ("0123456789", "", None)] == ["01234567", "unknown", "unknown"]
