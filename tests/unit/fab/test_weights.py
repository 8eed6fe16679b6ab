# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site's claim is worth."""

from __future__ import annotations

import pytest
import references
from hypothesis import given
from hypothesis import strategies as st

from fedops_kit.weights import Claims, Weighting

CLAIMS = [30, 40, 50, 2**53]


def test_claims_are_believed_unless_somebody_bounds_them() -> None:
    assert Weighting().weights(CLAIMS) == CLAIMS


def test_all_alike() -> None:
    assert Weighting("uniform", most=10, most_shares=2.0).weights(CLAIMS) == [1, 1, 1, 1]


def test_more_than_the_bound_counts_as_the_bound() -> None:
    assert Weighting(most=45).weights(CLAIMS) == [30, 40, 45, 45]


@pytest.mark.parametrize(
    ("claims", "shares", "expected"),
    [
        (CLAIMS, 2.0, [30, 40, 50, 120]),  # a half of four, which are two equal shares
        (CLAIMS, 1.0, [30, 30, 30, 30]),
        ([1, 1, 1, 100, 100], 1.5, [1, 1, 1, 2.25, 2.25]),
        ([10, 20], 2.0, [10, 20]),
        ([7], 2.0, [7]),
        ([10, 10, 10], 1.0, [10, 10, 10]),
        ([], 2.0, []),
    ],
)
def test_a_bound_on_the_share(claims: list[float], shares: float, expected: list[float]) -> None:
    assert Weighting(most_shares=shares).weights(claims) == pytest.approx(expected)


@given(
    st.lists(st.one_of(st.integers(1, 1000), st.integers(1, 2**53)), min_size=1, max_size=20),
    st.floats(1, 5, exclude_min=True),
)
def test_the_bound_holds_and_takes_no_more_than_it_must(claims: list[int], shares: float) -> None:
    weights = Weighting(most_shares=shares).weights(claims)
    total = sum(weights)
    assert all(weight <= claim for weight, claim in zip(weights, claims, strict=True))
    assert max(weights) <= total * min(1, shares / len(claims)) * (1 + 1e-9)
    assert weights == pytest.approx(references.bounded(claims, shares), rel=1e-6)


def told(claims: Claims, **given: float) -> list[str]:
    return list(claims.remarkable(given))


def test_a_site_that_claims_more_than_all_others_is_told_every_time() -> None:
    claims = Claims()
    for _round in range(2):
        assert told(claims, berlin=10, paris=10, rome=21) == [
            "rome claims 21 of 41 examples, more than all other sites together"
        ]
    assert told(claims, berlin=10, paris=10, rome=20) == []
    assert told(Claims(), berlin=10) == []  # whom else should it outvote


def test_a_claim_that_jumps_is_told_once() -> None:
    claims = Claims()
    assert told(claims, berlin=100, paris=300, rome=300) == []
    assert told(claims, berlin=200, paris=150, rome=300) == []
    assert told(claims, berlin=401, paris=150, rome=500) == ["berlin claims 401 examples, and claimed 200 before"]
    assert told(claims, rome=240, paris=240) == ["rome claims 240 examples, and claimed 500 before"]
    assert told(claims, berlin=100, paris=250, rome=240) == ["berlin claims 100 examples, and claimed 401 before"]
