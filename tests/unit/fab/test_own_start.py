# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies with a start() of their own, which keep the best model, evaluate now and then, or take less."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from bench import Bench, same
from flwr.app import ArrayRecord, ConfigRecord, Context, MetricRecord
from flwr.serverapp.strategy import FedAdam, FedAvg, Result

from fedops_kit import keep
from fedops_kit.errors import QuiescedError
from fedops_kit.keeping import KeptStrategy


class Copied(FedAvg):
    """Has a loop of its own, as an example of Flower's has it."""

    def start(
        self,
        grid: Any,
        initial_arrays: ArrayRecord,
        num_rounds: int = 3,
        timeout: float = 3600,
        train_config: ConfigRecord | None = None,
        evaluate_config: ConfigRecord | None = None,
        evaluate_fn: Any = None,
    ) -> Result:
        self.begins()
        result, arrays = Result(), initial_arrays
        config = ConfigRecord() if train_config is None else train_config
        if evaluate_fn and (found := evaluate_fn(0, arrays)) is not None:
            result.evaluate_metrics_serverapp[0] = found
        for number in range(1, num_rounds + 1):
            replies = grid.send_and_receive(self.configure_train(number, arrays, config, grid), timeout=timeout)
            made, metrics = self.aggregate_train(number, replies)
            if made is not None:
                result.arrays = arrays = made
            if metrics is not None:
                result.train_metrics_clientapp[number] = metrics
            if evaluate_fn and self.is_to_be_evaluated(number):
                found = evaluate_fn(number, arrays)
                if found is not None:
                    result.evaluate_metrics_serverapp[number] = found
                    self.evaluated(found["accuracy"])
        return result

    def begins(self) -> None:
        """Set it up."""

    def is_to_be_evaluated(self, number: int) -> bool:
        return True

    def evaluated(self, accuracy: float) -> None:
        """See how good it is."""


class KeepingTheBest(Copied):
    def begins(self) -> None:
        self.best, self.news = 0.0, []

    def evaluated(self, accuracy: float) -> None:
        if accuracy > self.best:
            self.best = accuracy
            self.news.append(accuracy)


def with_best(strategy: KeepingTheBest, context: Context) -> KeptStrategy:
    def restore(state: Mapping[str, np.ndarray]) -> None:
        strategy.best = float(state["best"])

    return keep(strategy, context, capture=lambda: {"best": np.asarray(strategy.best)}, restore=restore)


ACCURACY = {0: 0.1, 1: 0.5, 2: 0.9, 3: 0.6, 4: 0.7, 5: 0.95}


def test_what_a_start_sets_up_anew_is_given_back_after_it(bench: Bench) -> None:
    made: list[KeepingTheBest] = []
    bench.interrupted(
        lambda: made.append(KeepingTheBest()) or made[-1],
        door=with_best,
        evaluate_fn=lambda number, arrays: MetricRecord({"accuracy": ACCURACY[number]}),
    )
    straight, dummy, resumed = made
    assert straight.news == [0.5, 0.9, 0.95]
    assert resumed.news == [0.95]  # 0.6 and 0.7 are worse than what was found before
    assert "not_kept" not in bench.published("result.json")


class AdamAnew(Copied, FedAdam):
    """Forgets its momentum when it starts, as one does that may be started twice."""

    def begins(self) -> None:
        self.m_t = self.v_t = self.current_arrays = None


def test_the_state_of_flowers_strategy_below_is_given_back_too(bench: Bench) -> None:
    straight, killed = bench.interrupted(AdamAnew)
    assert same(straight.arrays, killed.arrays)


class NowAndThen(Copied):
    def is_to_be_evaluated(self, number: int) -> bool:
        return number % 2 == 0


@pytest.mark.parametrize("make", [NowAndThen, lambda: NowAndThen(fraction_train=0.5)])
def test_rounds_that_it_does_not_evaluate_are_saved_and_told_too(bench: Bench, make: Any) -> None:
    seen: list[int] = []

    def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord:
        seen.append(number)
        return MetricRecord({"accuracy": ACCURACY[number]})

    straight, killed = bench.interrupted(make, evaluate_fn=evaluate, given={"checkpoint-keep-last": 0})
    assert same(straight.arrays, killed.arrays)
    assert seen[:3] == [0, 2, 4]
    lines = [json.loads(line) for line in (bench.root / "trainings/default/history.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == [1, 2, 3, 4, 5]
    assert all(line["checkpoint"] for line in lines)
    assert lines[3]["accuracy"] == ACCURACY[4]
    assert lines[4]["accuracy"] is None
    names = sorted(path.name for path in (bench.root / "killed").glob("checkpoint_round_*.npz"))
    assert names == [f"checkpoint_round_{number}.npz" for number in range(1, 6)]


class Less(FedAvg):
    """Takes fewer arguments, evaluates nothing."""

    def start(self, grid: Any, initial_arrays: ArrayRecord, num_rounds: int = 3) -> Result:
        arrays, config = initial_arrays, ConfigRecord()
        for number in range(1, num_rounds + 1):
            replies = grid.send_and_receive(self.configure_train(number, arrays, config, grid))
            arrays = self.aggregate_train(number, replies)[0] or arrays
        return Result(arrays)


def test_one_that_takes_less_and_never_evaluates_is_saved_and_resumes(bench: Bench) -> None:
    straight, killed = bench.interrupted(Less)
    assert same(straight.arrays, killed.arrays)
    assert bench.trained() == [3, 4, 5]
    assert bench.published("result.json")["checkpoint"].endswith("checkpoint_round_5.npz")


class Silent(Less):
    """Returns nothing."""

    def start(self, grid: Any, initial_arrays: ArrayRecord, num_rounds: int = 3) -> None:
        super().start(grid, initial_arrays, num_rounds)


def test_one_that_returns_nothing_has_a_result(bench: Bench) -> None:
    straight, killed = bench.interrupted(Silent)
    assert same(straight.arrays, killed.arrays)
    assert bench.published("result.json")["rounds"] == 5


def test_it_is_ended_early(bench: Bench) -> None:
    result = bench.start(
        Copied,
        evaluate_fn=lambda number, arrays: MetricRecord({"accuracy": ACCURACY[number]}),
        given={"early-stopping-patience": 2, "early-stopping-metric": "accuracy"},
    )
    assert bench.trained() == [1, 2, 3, 4]
    assert bench.published("result.json")["rounds"] == 4
    assert result.arrays


def test_it_stands_still_after_a_round_that_it_does_not_evaluate(bench: Bench) -> None:
    straight = bench.start(NowAndThen, "straight")

    def order(site: str, message: Any) -> None:
        if message.has_content() and message.content.config_records.get("config", {}).get("server-round") == 3:
            (bench.root / "trainings/quiesced.json").write_text("{}")

    with pytest.raises(QuiescedError, match="Quiesced after round 3 of 5"):
        bench.start(NowAndThen, grid={"on_the_way": order})
    (bench.root / "trainings/quiesced.json").unlink()
    assert same(bench.start(NowAndThen).arrays, straight.arrays)
