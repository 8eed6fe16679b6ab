# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of numbers: bfloat16 without anything that knows it, and casts that round once and stay in range."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest
from flwr.app import Array
from hypothesis import given
from hypothesis import strategies as st

from fedops_kit import dtypes, flaws
from fedops_kit.arrays import update_norm

INFINITE = 0x7F80


def value(upper: int) -> float:
    """What 16 bits are as a bfloat16: the upper half of a float32."""
    return struct.unpack(">f", struct.pack(">HH", upper, 0))[0]


def bfloat16(values: object) -> np.ndarray:
    return dtypes.narrowed(np.asarray(values, np.float32), "bfloat16")


def test_every_bfloat16_is_itself() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view("V2")
    wide = dtypes.wide(every)
    finite = np.isfinite(wide)
    assert wide[finite].tolist() == [value(upper) for upper in np.flatnonzero(finite)]
    there = ~np.isnan(wide)
    assert (bfloat16(wide)[there] == every[there]).all()
    assert np.isnan(dtypes.wide(bfloat16(wide)[~there])).all()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_the_nearest_is_taken_and_of_two_the_even_one(number: float) -> None:
    upper = int(bfloat16([number]).view(np.uint16)[0])
    candidates = [each for each in range(max(upper - 1, upper & 0x8000), upper + 2) if each & 0x7FFF < INFINITE]
    if upper & 0x7FFF == INFINITE:  # beyond the largest by half a step or more
        assert abs(number) >= 3.3961775292304e38
        return
    nearest = min(candidates, key=lambda each: (abs(Fraction(value(each)) - Fraction(number)), each & 1))
    assert value(upper) == value(nearest)


@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (1, 1, 1)])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_are_float32_to_whoever_computes(shape: tuple[int, ...], dtype: str) -> None:
    values = np.full(shape, 1.5, np.float32)
    array = dtypes.array(np.asarray(dtypes.narrowed(values, dtype)))
    assert (array.dtype, array.shape) == (dtype, shape)
    widened = dtypes.widened(array)
    assert widened.data is array.data
    for numbers in (widened.numpy(), dtypes.widened(widened).numpy()):
        assert numbers.dtype == np.float32
        np.testing.assert_array_equal(numbers, values)
    assert dtypes.as_made(values, dtype).data == array.data


def test_what_is_wide_enough_is_left_alone() -> None:
    array = Array(np.ones(2, np.float32))
    assert dtypes.widened(array) is array
    values = np.ones(2)
    assert dtypes.wide(values) is values


def test_a_task_without_ml_dtypes_gets_the_bytes_and_may_send_them_back() -> None:
    array = dtypes.array(bfloat16([1.0, -2.5]))
    given_to_the_task = dtypes.numbers(array)
    assert dtypes.array(given_to_the_task) == array


@pytest.mark.parametrize(
    ("made", "dtype", "expected"),
    [
        ([0.5, 1.5, 2.5, -0.5], "int32", [0, 2, 2, 0]),
        ([-3.0, 300.0], "uint8", [0, 255]),
        ([1e30, -1e30], "int64", [2**63 - 1, -(2**63)]),
        ([1e30, -1.0], "uint64", [2**64 - 1, 0]),
        ([0.4, 0.5, 0.6, 1.0], "bool", [False, False, True, True]),
        ([7, 8], "int64", [7, 8]),
    ],
)
def test_counts_are_rounded_and_stay_in_range(made: list[float], dtype: str, expected: list) -> None:
    found = dtypes.narrowed(np.array(made), dtype)
    assert (str(found.dtype), found.tolist()) == (dtype, expected)


@pytest.mark.parametrize(
    ("number", "flaw"), [(float("nan"), "NaN"), (float("inf"), "NaN"), (1e13, "beyond"), (9.0, "")]
)
def test_what_is_no_number_is_found_in_bfloat16_too(number: float, flaw: str) -> None:
    model = dtypes.array(bfloat16([1.0, 1.0]))
    assert flaw in flaws.array_flaw("w", dtypes.array(bfloat16([1.0, number])), model)
    assert bool(flaws.array_flaw("w", dtypes.array(bfloat16([1.0, number])), model)) == bool(flaw)


def test_the_length_of_an_update_in_bfloat16() -> None:
    model, reply = ({"w": dtypes.array(bfloat16(values))} for values in ([1.0, 1.0], [4.0, 5.0]))
    assert update_norm(reply, model) == 5.0


def test_bfloat16_and_two_bytes_of_something_else_are_told_apart_by_name() -> None:
    reply, model = Array(np.array([1, 2], np.uint16)), dtypes.array(bfloat16([1.0, 1.0]))
    assert flaws.array_flaw("w", reply, model) == "the array 'w' is uint16[2] but must be bfloat16[2]"
