# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that is ended early: when, with which model, and the same after whatever has died on the way."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from bench import Bench, same
from flwr.app import ArrayRecord, MetricRecord
from flwr.serverapp.strategy import FedAdam, FedAvg
from simulated import Federation, Killed, trained
from test_exact_resume import train_and_kill, variables
from test_keep import Counting

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import NotSavedError
from fedops_kit.knowledge._checkpoint.directory import list_rounds

CURVE = (0.9, 0.7, 0.5, 0.6, 0.4, 0.45, 0.41, 0.42, 0.3, 0.2, 0.1, 0.05)
EARLY = {"early_stopping_patience": 3, "num_rounds": 12}  # best in round 5, ended after round 8
ENDED, BEST = 8, 5
KILLS = int(os.environ.get("EARLY_STOPPING_KILLS", "4"))


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The server measures what a test says, by round."""

    def measure(curve: Sequence[float | None], metric: str = "loss") -> None:
        def evaluate(extra: object, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            value = curve[server_round - 1] if 0 < server_round <= len(curve) else None
            return None if value is None else MetricRecord({metric: value})

        monkeypatch.setattr("fedops_app.run._evaluate_centrally", evaluate)

    measure(CURVE)
    return measure


def pointed(federation: Federation, where: str = "checkpoints") -> tuple[str, int] | None:
    """Where the best leads to, by its link and by its manifest."""
    link, manifest = (federation.checkpoints(where) / f"checkpoint_best.{ending}" for ending in ("npz", "json"))
    if not link.is_symlink():
        assert not manifest.exists()
        return None
    return os.readlink(link), json.loads(manifest.read_text())["round"]


def test_it_ends_after_so_many_rounds_without_a_better_model_and_says_so(
    federation: Federation, measures: object, caplog: pytest.LogCaptureFixture
) -> None:
    grid = federation.train(**EARLY, checkpoint_interval=100)
    assert trained(grid) == list(range(1, ENDED + 1))
    result, history = federation.published("result.json"), federation.published("history.jsonl")
    assert (result["rounds"], result["loss"], result["checkpoint"]) == (8, 0.42, "checkpoint_round_8.npz")
    settings = {"patience": 3, "min_delta": 0.0, "metric": "loss", "mode": "auto", "warmup_rounds": 0}
    known = {"best": 0.4, "best_round": BEST, "rounds": 3, "source": "central"}
    assert result["early_stopping"] == {**settings, **known, "over": True, "ended": True}
    assert history[-1]["early_stopping"] == result["early_stopping"]
    assert [line["early_stopping"]["over"] for line in history] == [False] * 7 + [True]
    assert federation.published("effective.json")["early_stopping"] == settings
    assert pointed(federation) == ("checkpoint_round_5.npz", BEST)
    assert "it has stopped early at round 8, best was round 5 (loss 0.4)" in caplog.text
    assert list_rounds(str(federation.checkpoints())) == [1, 2, 3, 5, 8]  # the best so far, and the last


def test_it_is_finished_until_something_else_is_to_end_it(
    federation: Federation, measures: object, caplog: pytest.LogCaptureFixture
) -> None:
    federation.train(**EARLY)
    for again in (EARLY, {**EARLY, "num_rounds": 100}):
        assert federation.train(**again).log == []
        result = federation.published("result.json")
        assert (result["rounds"], result["early_stopping"]["ended"]) == (ENDED, True)
        assert "finished already: it has stopped early at round 8, best was round 5" in caplog.text
    assert trained(federation.train(**{**EARLY, "early_stopping_patience": 4})) == [9, 10, 11, 12]
    federation.train("straight", **{**EARLY, "early_stopping_patience": 4})
    assert federation.arrays(12) == federation.arrays(12, "straight")
    assert federation.published("result.json")["early_stopping"]["ended"] is False
    assert pointed(federation) == pointed(federation, "straight") == ("checkpoint_round_12.npz", 12)


def test_without_it_all_rounds_are_trained_and_nothing_speaks_of_it(federation: Federation, measures: object) -> None:
    federation.train(**EARLY)
    assert trained(federation.train(**{**EARLY, "early_stopping_patience": 0})) == [9, 10, 11, 12]
    assert pointed(federation) is None
    federation.train("without", num_rounds=12)
    assert federation.arrays(12) == federation.arrays(12, "without")
    for name in ("result.json", "effective.json"):
        assert "early_stopping" not in federation.published(name)
    assert "early_stopping" not in json.loads((federation.checkpoints() / "checkpoint_round_12.json").read_text())
    assert "early_stopping" in json.loads((federation.checkpoints() / "checkpoint_round_8.json").read_text())


@pytest.mark.parametrize("killed_in_round", [1, 2, 5, 6, 7, 8])
@pytest.mark.parametrize("interval", [1, 5])
def test_a_training_that_was_killed_ends_in_the_same_round(
    federation: Federation, measures: object, killed_in_round: int, interval: int
) -> None:
    federation.train("straight", **EARLY, checkpoint_interval=interval)
    told = federation.published("result.json")["early_stopping"]
    with pytest.raises(Killed):
        federation.train("killed", **EARLY, checkpoint_interval=interval, grid={"killed_in_round": killed_in_round})
    federation.train("killed", **EARLY, checkpoint_interval=interval)
    assert federation.published("result.json")["early_stopping"] == told
    assert federation.arrays(ENDED, "killed") == federation.arrays(ENDED, "straight")
    assert federation.arrays(BEST, "killed") == federation.arrays(BEST, "straight")
    assert pointed(federation, "killed") == pointed(federation, "straight")


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "Krum"])
def test_kills_at_random_moments_change_nothing_of_when_it_ends(
    federation: Federation, measures: Callable[..., None], strategy: str
) -> None:
    falls = [1 / (1 + number) for number in range(2 * KILLS + 2)]  # so that no run between two kills sees the end
    measures([*falls, 1.0, 1.0, 1.0, 0.0, 0.0])
    end = len(falls) + 3
    settings = {**EARLY, "num_rounds": end + 2, "checkpoint_keep_last": 2, **variables(strategy)}
    federation.train("straight", **settings)
    told = federation.published("result.json")["early_stopping"]
    chance = random.Random(f"early kills of {strategy}")
    reached = [train_and_kill(federation, settings, chance) for _kill in range(KILLS)]
    assert reached == sorted(reached)
    federation.train("killed", **settings)
    assert federation.published("result.json")["early_stopping"] == told
    for number in (end, end - 3):
        assert federation.arrays(number, "killed") == federation.arrays(number, "straight")
    assert pointed(federation, "killed") == (f"checkpoint_round_{end - 3}.npz", end - 3)


def test_lost_between_its_last_save_and_its_result_it_trains_no_further_round(
    federation: Federation, measures: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*dummy: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fedops_kit.publish.Publisher.result", killed)
        with pytest.raises(Killed):
            federation.train(**EARLY)
    assert federation.train(**EARLY).log == []
    assert federation.published("result.json")["early_stopping"]["ended"] is True


def test_the_best_is_kept_whatever_is_newer(federation: Federation, measures: Callable[..., None]) -> None:
    measures([0.5, 0.1, *[0.2] * 9])
    federation.train(early_stopping_patience=9, num_rounds=11, checkpoint_keep_last=1, checkpoint_keep_best=False)
    assert list_rounds(str(federation.checkpoints())) == [2, 11]
    assert pointed(federation) == ("checkpoint_round_2.npz", 2)


def test_the_best_is_that_of_the_metric_and_not_the_lowest_loss(
    federation: Federation, measures: Callable[..., None]
) -> None:
    measures([0.1, 0.3, 0.2, 0.2, 0.2], "accuracy")
    settings = {"early_stopping_metric": "accuracy", "early_stopping_patience": 3}
    federation.train(**settings, num_rounds=9, checkpoint_keep_last=1)
    assert federation.published("result.json")["rounds"] == 5
    assert pointed(federation) == ("checkpoint_round_2.npz", 2)


def test_a_warm_up_and_a_smallest_improvement(federation: Federation, measures: Callable[..., None]) -> None:
    measures([0.1, 0.9, 0.8, 0.795, 0.792, 0.7])
    settings = {"early_stopping_warmup_rounds": 1, "early_stopping_min_delta": 0.01, "early_stopping_patience": 2}
    federation.train(**settings, num_rounds=6)
    told = federation.published("result.json")["early_stopping"]
    assert (told["best_round"], told["rounds"], federation.published("result.json")["rounds"]) == (3, 2, 5)


def test_what_is_no_number_is_no_better(federation: Federation, measures: Callable[..., None]) -> None:
    measures([math.nan, math.inf, 0.5])
    federation.train(early_stopping_patience=2, num_rounds=3)
    result = federation.published("result.json")
    assert (result["rounds"], result["early_stopping"]["best_round"]) == (2, 0)
    assert pointed(federation) is None


def test_the_first_who_measures_stays_the_one(
    federation: Federation, measures: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    measures([None, 0.0, None])  # the server's own figure comes too late
    federation.train(early_stopping_patience=2, num_rounds=3)
    assert federation.published("result.json")["early_stopping"]["source"] == "sites"
    measures([0.5, None, 0.6, 0.6])
    federation.train("other", early_stopping_patience=2, num_rounds=4)
    told = federation.published("result.json")["early_stopping"]
    assert (told["source"], told["best_round"], told["rounds"], told["over"]) == ("central", 1, 2, True)
    assert "Round 2: nobody has measured 'loss'" in caplog.text
    assert "It was measured by central before." in caplog.text


def test_a_metric_that_only_training_reports(federation: Federation) -> None:
    federation.train(early_stopping_metric="grad_norm", early_stopping_patience=5)
    assert federation.published("result.json")["early_stopping"]["source"] == "training"


def test_a_metric_that_nobody_reports_ends_nothing(federation: Federation, caplog: pytest.LogCaptureFixture) -> None:
    assert trained(federation.train(early_stopping_metric="auc", early_stopping_patience=1, num_rounds=3)) == [1, 2, 3]
    assert caplog.text.count("nobody has measured 'auc'") == 3


def test_a_round_that_is_skipped_counts_neither_way(federation: Federation, measures: Callable[..., None]) -> None:
    measures([0.5, 0.4, 0.1, 0.6, 0.7])
    fails = {"fails": lambda site, number, attempt: number == 3}
    federation.train(early_stopping_patience=2, num_rounds=5, on_shortfall="skip", grid=fails)
    told = federation.published("result.json")["early_stopping"]
    assert (told["best_round"], told["rounds"], told["ended"]) == (2, 2, False)  # over with the last round
    assert federation.train(early_stopping_patience=2, num_rounds=50, on_shortfall="skip").log == []


def test_other_rules_begin_to_count_anew(federation: Federation, measures: object) -> None:
    federation.train(**EARLY)
    assert trained(federation.train(**EARLY, early_stopping_min_delta=0.01)) == [9, 10, 11, 12]
    assert federation.published("result.json")["early_stopping"]["best_round"] == 12


def test_the_best_is_saved_when_the_storage_is_back(
    federation: Federation, measures: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = CheckpointDirectory.save

    tries: list[int] = []

    def failing(self: CheckpointDirectory, arrays: Any, state: Any, about: Any) -> Any:
        tries.append(about["round"])
        if tries[-1] == BEST and tries.count(BEST) < 3:
            raise NotSavedError("the disk is full")
        return save(self, arrays, state, about)

    federation.train("straight", **EARLY, strategy="FedAdam")
    monkeypatch.setattr(CheckpointDirectory, "save", failing)
    federation.train(**EARLY, strategy="FedAdam", checkpoint_keep_last=1)
    assert pointed(federation) == ("checkpoint_round_5.npz", BEST)
    assert federation.arrays(BEST) == federation.arrays(BEST, "straight")
    assert tries == [1, 2, 3, 4, 5, 5, 5, 7, 8]


def test_a_checkpoint_that_says_nonsense_of_it_is_damaged(federation: Federation, measures: object) -> None:
    from fedops_kit.knowledge._checkpoint.manifest import sealed

    with pytest.raises(Killed):
        federation.train(**EARLY, grid={"killed_in_round": 4})
    path = federation.checkpoints() / "checkpoint_round_3.json"
    manifest = json.loads(path.read_text())
    manifest["early_stopping"]["rounds"] = -1
    del manifest["manifest_sha256"]
    path.write_text(json.dumps(sealed(manifest)))
    assert trained(federation.train(**EARLY))[0] == 3
    assert pointed(federation) == ("checkpoint_round_5.npz", BEST)


def by_round(curve: Sequence[float]) -> Callable[[int, ArrayRecord], MetricRecord]:
    return lambda number, arrays: MetricRecord({"eval_loss": curve[number]})


@pytest.mark.parametrize("make", [FedAvg, FedAdam, Counting])
def test_an_app_of_ones_own_is_ended_too(bench: Bench, make: type) -> None:
    given = {"early-stopping-patience": 1, "early-stopping-metric": "loss"}
    arguments = {"given": given, "evaluate_fn": by_round([9.0, 0.5, 0.4, 0.3, 0.35, 0.1]), "rounds": 5}
    straight, killed = bench.interrupted(make, **arguments)
    assert sorted(straight.evaluate_metrics_serverapp)[-4:] == [1, 2, 3, 4]
    assert sorted(straight.train_metrics_clientapp) == [1, 2, 3, 4]
    assert sorted(killed.train_metrics_clientapp) == [3, 4]
    assert len(straight.arrays) == 2
    assert same(straight.arrays, killed.arrays)
    assert bench.published("result.json")["early_stopping"]["best_round"] == 3
    again = bench.start(make, "killed", **arguments)
    assert bench.trained() == []
    assert same(again.arrays, killed.arrays)


class Swallowing(Counting):
    """Goes on after whatever an evaluation raises."""

    def start(self, *given: Any, evaluate_fn: Callable, **more: Any) -> Any:
        def evaluate(number: int, arrays: ArrayRecord) -> MetricRecord | None:
            try:
                return evaluate_fn(number, arrays)
            except Exception:
                return None

        return super().start(*given, evaluate_fn=evaluate, **more)


def test_an_app_that_swallows_exceptions_is_ended_all_the_same(bench: Bench) -> None:
    bench.start(Swallowing, given={"early-stopping-patience": 1}, evaluate_fn=by_round([9, 0.5, 0.6, 0.1, 0.1, 0.1]))
    assert bench.trained() == [1, 2]


def test_a_run_without_a_model_of_its_own_returns_the_one_that_it_began_with(bench: Bench) -> None:
    class Idle(FedAvg):
        def configure_train(self, *dummy: Any) -> Any:
            return []

    result = bench.start(Idle, rounds=2)
    assert same(result.arrays, bench.initial)
    assert Path(bench.root / "trainings/default/result.json").exists()
