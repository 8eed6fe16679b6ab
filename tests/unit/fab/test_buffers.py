# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which arrays are buffers, and what becomes of counts that a float cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array

from fedops_kit import buffers, dtypes
from fedops_kit.buffers import Rule
from fedops_kit.knowledge._config.strategies import AVERAGED, CHOSEN, MEDIAN, TRIMMED

RULES = [
    pytest.param(Rule(AVERAGED, [3, 1, 1], [0, 1, 2]), id="averaged"),
    pytest.param(Rule(MEDIAN, [3, 1, 1], [0, 1, 2]), id="median"),
    pytest.param(Rule(TRIMMED, [3, 1, 1], [0, 1, 2], trim_beta=0.34), id="trimmed"),
    pytest.param(Rule(CHOSEN, [1], [1], malicious=1), id="kept"),
]


def combined(rule: Rule, before: object, replies: list, dtype: str) -> np.ndarray:
    made = [{"b": Array(np.array(values, dtype))} for values in (before, *replies)]
    return rule.combine(made[0], made[1:], ["b"])["b"].numpy()


def test_integers_booleans_and_what_the_task_names() -> None:
    types = ["float32", "float16", "complex64", "int64", "uint8", "bool", ">i4"]
    model = {dtype: Array(np.zeros(2, dtype)) for dtype in types}
    model["bfloat16"] = dtypes.array(dtypes.narrowed(np.zeros(2), "bfloat16"))
    assert buffers.names_of(model, ["float32"]) == {"int64", "uint8", "bool", ">i4", "float32"}


def test_a_name_that_is_none_of_the_model() -> None:
    with pytest.raises(ValueError, match=r"^buffers\(\) names 'bn.var', which is no array of the model$"):
        buffers.names_of({"bn.running_var": Array(np.zeros(2))}, ["bn.var"])


def test_names_of_pytorch_that_an_app_forgot() -> None:
    names = [
        "layer.1.running_mean",
        "layer.1.running_var",
        "layer.1.num_batches_tracked",
        "running_mean.weight",
        "bn1/running_var",
    ]
    model = {name: Array(np.zeros(2, np.float32)) for name in names}
    assert buffers.forgotten(model, frozenset()) == [*names[:3], names[4]]
    assert buffers.forgotten(model, frozenset((*names[:3], names[4]))) == []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    ("dtype", "value"), [("int64", 2**62 + 1), ("int64", -(2**63)), ("uint64", 2**64 - 1), ("int8", -128)]
)
def test_what_all_sites_have_is_kept_to_the_last_bit(rule: Rule, dtype: str, value: int) -> None:
    assert combined(rule, [0, value], [[value, value]] * 3, dtype).tolist() == [value, value]


@pytest.mark.parametrize("rule", RULES)
def test_large_counts_are_averaged_exactly(rule: Rule) -> None:
    base = 2**60
    assert combined(rule, [base], [[base + 5], [base + 5], [base + 5]], "int64").tolist() == [base + 5]
    expected = {AVERAGED: base + 8, MEDIAN: base + 10, TRIMMED: base + 10, CHOSEN: base + 10}[rule.kind]
    assert combined(rule, [base], [[base + 4], [base + 10], [base + 18]], "int64").tolist() == [expected]


@pytest.mark.parametrize("rule", RULES[1:])
@pytest.mark.parametrize("lie", [2**62, -(2**62)])
def test_one_liar_moves_a_count_no_further_than_an_honest_site_might(rule: Rule, lie: int) -> None:
    assert 10 <= combined(rule, [0], [[10], [lie], [12]], "int64")[0] <= 12


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
@pytest.mark.parametrize("dtype", ["bool", "uint16", "float32", "complex64", ">f4"])
def test_shapes_and_types_are_the_models(rule: Rule, shape: tuple[int, ...], dtype: str) -> None:
    values = np.ones(shape, dtype)
    made = combined(rule, values, [values] * 3, dtype)
    assert (made.shape, made.dtype) == (shape, np.dtype(dtype))
    np.testing.assert_array_equal(made, values)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f8", "complex64"])
def test_what_is_infinite_stays_and_the_rest_is_combined(rule: Rule, dtype: str) -> None:
    mask = np.array([-np.inf, np.inf, np.nan, np.finfo(np.dtype(dtype)).min, 1.0], dtype)
    replies = [np.where(mask == 1, np.asarray(value, dtype), mask) for value in (2, 3, 4)]
    made = combined(rule, mask, replies, dtype)
    assert made[:4].tobytes() == mask[:4].tobytes()
    assert 2 <= made[4].real <= 4


def test_a_mask_is_what_most_of_the_weight_says() -> None:
    replies = [[True, True, False], [True, False, False], [False, True, True]]
    assert combined(Rule(AVERAGED, [1, 1, 2], [0, 1, 2]), [False] * 3, replies, "bool").tolist() == [False, True, False]
    assert combined(Rule(MEDIAN, [], []), [False] * 3, replies, "bool").tolist() == [True, True, False]


def test_without_liars_to_withstand_the_chosen_one_is_taken_as_it_is() -> None:
    assert combined(Rule(CHOSEN, [1], [2]), [0.0], [[1.0], [2.0], [50.0]], "float32").tolist() == [50.0]
    assert combined(Rule(CHOSEN, [1], [2], malicious=1), [0.0], [[1.0], [2.0], [50.0]], "float32").tolist() == [2.0]
