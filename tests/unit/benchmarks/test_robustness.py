# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Robust strategies withstand sites that lie, others do not; and the published tables say what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "benchmarks/results"
sys.path.insert(0, str(ROOT / "benchmarks"))

# After what says whether they can be imported, and from where.
import aggregation
import byzantine
import client_drift
import liars
import normalization


@pytest.mark.parametrize("strategy", ["FedAvg", "FedTrimmedAvg", "Krum", "MultiKrum"])
def test_only_a_robust_strategy_learns_in_spite_of_liars(tmp_path: Path, strategy: str) -> None:
    outcome = byzantine.measure(strategy, byzantine.ALIKE, [1], tmp_path, num_rounds=6)
    assert outcome.accuracy["0"] > 0.8
    for attackers in ("1", "2"):
        learned = outcome.accuracy[attackers] > outcome.accuracy["0"] - 0.05  # after six rounds, not after thirty
        assert learned is (strategy in byzantine.ROBUST)
        assert learned or outcome.accuracy[attackers] < byzantine.COLLAPSED


def test_a_bound_on_the_norm_leaves_the_long_updates_of_liars_out(tmp_path: Path) -> None:
    bound = {"max_update_norm": 3.0, "min_fit_clients": 9}  # without the liars, nine are left
    outcome = byzantine.measure("FedAvg", byzantine.ALIKE, [1], tmp_path, num_rounds=6, **bound)
    assert min(outcome.accuracy.values()) > 0.8


def test_what_was_measured_is_what_is_claimed() -> None:
    content = json.loads((RESULTS / "byzantine.json").read_text())
    outcomes = [byzantine.Outcome(**row) for row in content["results"]]
    assert {outcome.strategy for outcome in outcomes} == set(byzantine.STRATEGIES)
    assert {number for outcome in outcomes for number in outcome.accuracy} == {"0", "1", "2"}
    assert byzantine.problems(outcomes) == []


@pytest.mark.parametrize(
    ("strategy", "accuracy", "problem"),
    [
        ("Krum", {"0": 0.95, "1": 0.94, "2": 0.92}, "Krum loses 3.0% to 2 attackers"),
        ("FedAvg", {"0": 0.95, "1": 0.6, "2": 0.1}, "FedAvg still reaches 60.0% with 1 attackers"),
    ],
)
def test_a_claim_that_does_not_hold_is_told(strategy: str, accuracy: dict[str, float], problem: str) -> None:
    assert byzantine.problems([byzantine.Outcome(strategy, byzantine.ALIKE, accuracy, accuracy)]) == [problem]


@pytest.mark.parametrize(
    ("attack", "strategy", "more", "learns"),
    [
        ("inner product 2", "FedAvg", {}, True),
        ("labels, inflated", "FedAvg", {}, False),
        ("labels, inflated", "FedAvg", {"max_weight_share": 2.0}, True),
        ("inner product 2", "FedMedian", {}, True),
        ("NaN", "FedAvg", {}, True),
        ("buffers", "FedAvg", {}, False),
        ("buffers", "Krum", {}, True),
    ],
)
def test_liars_that_hide(tmp_path: Path, attack: str, strategy: str, more: dict, learns: bool) -> None:
    outcome = liars.measure(strategy, attack, liars.ALIKE, [1], tmp_path, num_rounds=6, **more)
    assert (outcome.accuracy > 0.7) is learns


def measured(alpha: float, mixed: int, number: int) -> dict[tuple[str, str], float]:
    """What was reached, by strategy and attack, with so many liars."""
    rows = json.loads((RESULTS / "liars.json").read_text())["results"]
    return {
        (row["strategy"], row["attack"]): row["accuracy"]
        for row in rows
        if (row["alpha"], row["mixed"]) == (alpha, mixed) and row["liars"] in (0, number)
    }


@pytest.mark.parametrize("number", liars.LIARS)
def test_what_hides_is_withstood_as_the_page_says(number: int) -> None:
    found, attack = measured(liars.UNLIKE, 0, number), "inner product 0.5"
    if number == max(liars.LIARS):
        assert found.keys() == {(name, attack) for name in liars.NAMES for attack in liars.ATTACKS}
    for name in ("FedMedian", "FedTrimmedAvg"):
        assert found[name, attack] > found[name, liars.NOBODY] - 0.05
    for name in ("Krum", "Bulyan") if number == max(liars.LIARS) else ():
        assert found[name, attack] < found[name, liars.NOBODY] - 0.08


def test_mixing_lifts_the_worst_row_as_the_page_says() -> None:
    alone, mixed = (measured(liars.UNLIKE, each, max(liars.LIARS)) for each in (0, liars.WITHSTOOD))
    for name in ("Krum", "MultiKrum", "Bulyan"):
        assert mixed[name, "inner product 0.5"] > alone[name, "inner product 0.5"] + 0.03
    assert min(mixed[name, "inner product 0.5"] for name in liars.NAMES) > 0.85


def test_every_strategy_was_measured_with_buffers() -> None:
    twins = [normalization.Twins(**row) for row in json.loads((RESULTS / "normalization.json").read_text())["twins"]]
    assert {each.strategy for each in twins} == set(normalization.STRATEGIES)
    assert normalization.problems(twins) == []
    assert normalization.STRATEGIES["QFedAvg"] == {}  # with its own defaults
    assert next(each.seeds for each in twins if each.strategy == "QFedAvg") == [1, 2, 3]


def test_no_strategy_harms_buffers(tmp_path: Path) -> None:
    # Not with momentum: how single rounds then swing depends on how a processor rounds.
    twins = normalization.measure("FedAvg", [1], tmp_path, num_rounds=10)
    assert min(twins.batch, twins.group) > 0.8
    assert normalization.problems([normalization.Twins("Krum", 0.92, 0.93, 0.03, [1, 2])]) == [
        "Krum loses 3.0% with batch normalization against its twin"
    ]
    assert normalization.problems([normalization.Twins("Krum", 0.92, 0.93, 0.01, [1, 2])]) == []


def test_the_proximal_term_holds_clients_back(tmp_path: Path) -> None:
    free, held = (client_drift.measure(mu, [1], tmp_path, num_rounds=3, local_epochs=5) for mu in (0.0, 3.0))
    assert held.drift < 0.8 * free.drift
    assert len(free.accuracy_by_round) == 3


def test_less_drift_with_a_larger_mu_is_what_was_measured() -> None:
    rows = json.loads((RESULTS / "client_drift.json").read_text())["results"]
    drifts = [row["drift"] for row in rows]
    assert [row["mu"] for row in rows] == list(client_drift.MUS)
    assert drifts == sorted(drifts, reverse=True)


def test_no_strategy_takes_a_tenth_longer_than_in_the_first_release() -> None:
    costs = [aggregation.Cost(**row) for row in json.loads((RESULTS / "aggregation.json").read_text())["costs"]]
    assert [each.strategy for each in costs] == list(aggregation.ROWS)
    assert aggregation.problems(costs) == []


def test_both_ways_are_measured_with_the_same_replies() -> None:
    found = aggregation.measure("MultiKrum", *aggregation.replied(megabytes=0.5), turns=1)
    assert found.first > 0 < found.now
    assert aggregation.problems([aggregation.Cost("Krum", 2.0, 2.3, 1)]) == ["Krum takes 1.15 times as long"]
