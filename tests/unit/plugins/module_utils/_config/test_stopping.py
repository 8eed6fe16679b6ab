# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Early stopping, held against a loop that anybody can follow."""

from __future__ import annotations

import json
import math
import random
from dataclasses import asdict

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.stopping import (
    Stopping,
    Waited,
    has_stopped,
    stopping_text,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training

PLAIN = Stopping(patience=2, min_delta=0.0, metric="loss", mode="auto", warmup_rounds=0)


def reference(curve: list[float], settings: Stopping, sign: int) -> tuple[int, int]:
    """The last round and the best one."""
    best, best_round, bad = math.inf, 0, 0
    for number, value in enumerate(curve, start=1):
        if number <= settings.warmup_rounds:
            continue
        if sign * value < best - settings.min_delta and math.isfinite(value):
            best, best_round, bad = sign * value, number, 0
        else:
            bad += 1
        if bad == settings.patience:
            return number, best_round
    return len(curve), best_round


def decided(curve: list[float], settings: Stopping, interrupted: set[int]) -> tuple[int, int]:
    waited = Waited()
    for number, value in enumerate(curve, start=1):
        waited = settings.after(waited, number, value)
        if number in interrupted:
            waited = Waited.of(json.loads(json.dumps(asdict(waited))))
        if settings.is_over(waited):
            return number, waited.best_round
    return len(curve), waited.best_round


def a_curve(chance: random.Random) -> list[float]:
    """It falls, and may rise again; some values are no numbers."""
    length, noise, back = chance.randint(1, 60), chance.random(), chance.choice([0, 0.02])
    curve = [math.exp(-n / 10) + back * n + noise * chance.gauss(0, 0.1) for n in range(length)]
    return [chance.choice([math.nan, math.inf, -math.inf]) if chance.random() < 0.03 else value for value in curve]


def test_a_thousand_random_curves_are_ended_as_the_reference_ends_them() -> None:
    chance, ended = random.Random("curves"), 0
    for _each in range(1000):
        curve, rising = a_curve(chance), chance.random() < 0.5
        settings = Stopping(
            chance.randint(1, 8), chance.choice([0.0, 0.001, 0.05]), "loss", "max" if rising else "min",
            chance.choice([0, 0, 3, 10]),
        )  # fmt: skip
        curve = [-value for value in curve] if rising else curve
        interrupted = {number for number in range(len(curve)) if chance.random() < 0.3}
        expected = reference(curve, settings, -1 if rising else 1)
        assert decided(curve, settings, interrupted) == expected
        ended += expected[0] < len(curve)
    assert 300 < ended < 950  # so that both ends are seen


@pytest.mark.parametrize("metric", ["accuracy", "val_acc", "AUC", "f1", "macro-F1", "top5 recall", "r2"])
def test_by_its_name_such_a_metric_is_better_when_higher(metric: str) -> None:
    assert Stopping(1, 0.0, metric, "auto", 0).is_better_higher
    assert not Stopping(1, 0.0, metric, "min", 0).is_better_higher


@pytest.mark.parametrize("metric", ["loss", "mse", "perplexity", "eval_loss", "factor", "mapping_error"])
def test_by_its_name_any_other_metric_is_better_when_lower(metric: str) -> None:
    assert not Stopping(1, 0.0, metric, "auto", 0).is_better_higher
    assert Stopping(1, 0.0, metric, "max", 0).is_better_higher


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"best": "0.5", "best_round": 1, "rounds": 0, "source": "sites"},
        {"best": 10**400, "best_round": 1, "rounds": 0, "source": "sites"},
        {"best": math.nan, "best_round": 1, "rounds": 0, "source": "sites"},
        {"best": 0.5, "best_round": -1, "rounds": 0, "source": "sites"},
        {"best": 0.5, "best_round": 1, "rounds": True, "source": "sites"},
        {"best": 0.5, "best_round": 1, "rounds": 0, "source": None},
    ],
)
def test_what_was_not_written_so_is_not_read(said: dict) -> None:
    with pytest.raises(ValueError, match="^what it says of early stopping cannot be read$"):
        Waited.of(said)


@pytest.mark.parametrize("answer", [5, "5", 5.0, " 5 "])
@pytest.mark.parametrize("nothing", ["", None])
def test_answers_of_consoles_are_taken(answer: object, nothing: object) -> None:
    variables = {
        "fl_early_stopping_patience": answer,
        "fl_early_stopping_metric": nothing,
        "fl_early_stopping_mode": nothing,
        "fl_early_stopping_min_delta": nothing,
        "fl_early_stopping_warmup_rounds": "2",
    }
    training = Training.from_variables(variables)
    assert Stopping.of(training.values) == Stopping(5, 0.0, "loss", "auto", 2)
    assert Stopping.in_run_config(training.run_config) == Stopping(5, 0.0, "loss", "auto", 2)
    assert training.configuration_hash == Training.from_variables({}).configuration_hash


@pytest.mark.parametrize("off", [0, "0", "", None])
def test_it_is_off(off: object) -> None:
    training = Training.from_variables({"fl_early_stopping_patience": off, "fl_early_stopping_metric": "auc"})
    assert Stopping.in_run_config(training.run_config) is None


def test_a_run_configuration_of_before_says_nothing_of_it() -> None:
    assert Stopping.in_run_config({"num-server-rounds": 3}) is None


def test_that_of_an_app_with_the_kit_is_read() -> None:
    config = {f"fedops.{key}": value for key, value in Training.from_variables({}).run_config.items()}
    config["fedops.early-stopping-patience"] = 7
    assert Stopping.in_run_config({**config, "early-stopping-patience": 3}) == Stopping(7, 0.0, "loss", "auto", 0)


def test_the_end_is_said_in_words() -> None:
    said = {**PLAIN.told, "best": 0.41234, "best_round": 9, "over": True, "ended": True}
    assert stopping_text({"round": 14, "early_stopping": said}) == (
        "stopped early at round 14, best was round 9 (loss 0.4123)"
    )
    assert stopping_text({"rounds": 2, "early_stopping": {**said, "best": None, "best_round": 0}}) == (
        "stopped early at round 2, no round had a finite value"
    )
    for nothing in ({}, {"early_stopping": None}, {"early_stopping": {**said, "ended": False}}):
        assert stopping_text({"round": 14, **nothing}) == ""


def test_a_result_of_just_these_settings_is_what_is_asked_for() -> None:
    result = {"early_stopping": {**PLAIN.told, "over": True}}
    assert has_stopped(result, PLAIN)
    assert not has_stopped(result, None)
    assert not has_stopped({"early_stopping": {**PLAIN.told, "over": 1}}, PLAIN)
    assert not has_stopped({}, PLAIN)
