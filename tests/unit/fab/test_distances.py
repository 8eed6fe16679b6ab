# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is near whom: the same as exact arithmetic says, however small an update is and whatever holds it."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import references
from flwr.app import Array, ArrayRecord, RecordDict
from flwr.serverapp.strategy.multikrum import select_multikrum
from references import Replied

from fedops_kit import distances, dtypes

SITES, F, SIZE = 9, 2, 40
LIAR = 4


def round_of(seed: int, dtype: str, size: float, norm: float = 1.0) -> tuple[ArrayRecord, list[ArrayRecord]]:
    """A round in which updates have this size beside the weights, and one site goes the other way."""
    rng = np.random.default_rng(seed)
    weights, common = rng.normal(size=SIZE) * norm, rng.normal(size=SIZE)
    replies = [weights + size * norm * (common + 0.7 * rng.normal(size=SIZE)) for _site in range(SITES)]
    replies[LIAR] = weights - 3 * size * norm * common
    made = [dtypes.array(np.asarray(dtypes.narrowed(values, dtype))) for values in (weights, *replies)]
    before, *after = (ArrayRecord({"w": array}) for array in made)
    return before, after


def exact(before: ArrayRecord, after: list[ArrayRecord]) -> Replied:
    wide = [{"w": dtypes.wide(record["w"].numpy()).astype(np.float64)} for record in (before, *after)]
    return Replied(wide[0], wide[1:], [1] * SITES)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("size", [10.0**-power for power in range(1, 8)])
def test_the_choice_is_that_of_exact_arithmetic(dtype: str, size: float) -> None:
    for seed in range(20):
        before, after = round_of(seed, dtype, size, norm=300 if dtype == "float16" else 1)
        found = distances.squared_distances(after, before, ["w"])
        it = exact(before, after)
        for count in (1, 5):
            assert distances.nearest(found, F, count) == references.chosen(it, F, count)
            assert distances.nearest_one_by_one(found, F, count) == references.chosen_one_by_one(it, F, count)
        if dtype in ("float32", "float64") and size > 1e-6:
            assert LIAR not in distances.nearest(found, F, 5)


def test_flowers_own_choice_would_be_another_one() -> None:
    """What this is for: when this fails, Flower judges updates, too, and can be left to it."""
    wrong = 0
    for seed in range(20):
        before, after = round_of(seed, "float32", 1e-5)
        contents = [RecordDict({"arrays": record}) for record in after]
        (content,) = select_multikrum(contents, F, 1)
        wrong += contents.index(content) != references.chosen(exact(before, after), F, 1)[0]
    assert wrong > 0


def fraction(before: ArrayRecord, one: ArrayRecord, other: ArrayRecord) -> float:
    pairs = zip(one["w"].numpy().tolist(), other["w"].numpy().tolist(), strict=True)
    return float(sum((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs))


@pytest.mark.parametrize("apart", [1.0, 1e-3, 1e-6, 1e-9])
def test_a_distance_keeps_its_digits_where_updates_are_almost_alike(apart: float) -> None:
    rng = np.random.default_rng(3)
    weights, common = rng.normal(size=SIZE), rng.normal(size=SIZE)
    after = [ArrayRecord({"w": Array(weights + common + apart * rng.normal(size=SIZE))}) for _site in range(4)]
    before = ArrayRecord({"w": Array(weights)})
    found = distances.squared_distances(after, before, ["w"])
    for i, one in enumerate(after):
        for j, other in enumerate(after):
            # The updates themselves are rounded, to 1e-16 of numbers that are about 1.
            assert found[i, j] == pytest.approx(fraction(before, one, other), rel=1e-10 + 1e-14 / apart)


def test_one_huge_reply_does_not_blur_the_others() -> None:
    before, after = round_of(1, "float32", 1e-3)
    plain = distances.squared_distances(after, before, ["w"])
    after[LIAR] = ArrayRecord({"w": Array(np.full(SIZE, 1e12, np.float32))})
    blurred = distances.squared_distances(after, before, ["w"])
    others = [index for index in range(SITES) if index != LIAR]
    np.testing.assert_array_equal(plain[np.ix_(others, others)], blurred[np.ix_(others, others)])
    assert np.isfinite(blurred).all()


def test_equal_replies_are_not_apart_at_all() -> None:
    before, after = round_of(2, "float32", 1e-2)
    found = distances.squared_distances([after[0], after[1], after[0]], before, ["w"])
    assert found[0, 2] == 0 < found[0, 1] == found[1, 2]
    assert (found == found.T).all()
    assert not np.diagonal(found).any()


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.arange(6.0).reshape(2, 3).T, id="as Fortran has it"),
        pytest.param(np.arange(6.0).astype(">f4").reshape(2, 3), id="the other way round"),
        pytest.param(np.arange(6.0).reshape(2, 3) * (1 + 2j), id="complex"),
        pytest.param(np.array(2.5), id="a single number"),
        pytest.param(np.zeros((0, 3)), id="none"),
    ],
)
def test_however_an_array_lies(values: np.ndarray) -> None:
    before = {"w": Array(np.ascontiguousarray(np.zeros_like(values)))}
    found = distances.squared_distances([{"w": Array(values)}, {"w": Array(np.zeros_like(values))}], before, ["w"])
    assert found[0, 1] == pytest.approx(float((np.abs(values.astype(complex)) ** 2).sum()))


def test_no_copy_of_a_model_is_made() -> None:
    model = ArrayRecord({"w": Array(np.zeros(1 << 20, np.float32))})
    replies = [ArrayRecord({"w": Array(np.full(1 << 20, number, np.float32))}) for number in range(5)]
    tracemalloc.start()
    try:
        distances.squared_distances(replies, model, ["w"])
        assert tracemalloc.get_traced_memory()[1] < 4 << 20  # a float64 copy of one reply alone has eight
    finally:
        tracemalloc.stop()
