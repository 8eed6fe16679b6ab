# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knobs of a task: from the run configuration to ``settings.extra``, and into the identity of the training."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import Federation

from fedops_app import task
from fedops_app.settings import Settings
from fedops_kit.knowledge._config.training import Training, TrainingError

KNOBS = {"augment-strength": {"default": 0.1, "minimum": 0, "maximum": 1}, "optimizer.name": "sgd", "flip": True}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What the task of a site is told."""
    told: list[Settings] = []
    train = task.train

    def listening(arrays: task.Arrays, data: Path, settings: Settings) -> tuple[task.Arrays, task.Metrics]:
        told.append(settings)
        return train(arrays, data, settings)

    monkeypatch.setattr(task, "train", listening)
    monkeypatch.setattr(task, "KNOBS", KNOBS, raising=False)
    return told


def run(federation: Federation, given: dict[str, object], **declared: object) -> str:
    """Train a round with keys of the app, of which some are given; return the configuration hash."""
    asked = Training.from_variables({"fl_num_rounds": 1, "fl_min_available_clients": 7})
    federation.train_run_config({**asked.run_config, **declared, **given}, given={**asked.run_config, **given})
    return str(federation.published("effective.json")["configuration_hash"])


def test_a_task_is_told_its_knobs_in_their_types(federation: Federation, seen: list[Settings]) -> None:
    run(federation, {"augment-strength": 0.5, "flip": False}, depth=3)
    assert {tuple(settings.extra.items()) for settings in seen} == {
        (("augment-strength", 0.5), ("optimizer.name", "sgd"), ("flip", False), ("depth", 3))
    }
    assert all(isinstance(settings.extra["flip"], bool) for settings in seen)
    run_config = federation.published("effective.json")["run_config"]
    assert {key: run_config[key] for key in (*KNOBS, "depth")} == {
        "augment-strength": 0.5,
        "optimizer.name": "sgd",
        "flip": False,
        "depth": 3,
    }


def test_another_value_is_another_training(federation: Federation, seen: list[Settings]) -> None:
    hashes = [
        run(federation, {}, depth=3),
        run(federation, {"augment-strength": 0.2}, depth=3),
        run(federation, {"optimizer.name": "adam"}, depth=3),
        run(federation, {"depth": 4}, depth=3),
    ]
    assert len(set(hashes)) == 4
    assert run(federation, {"augment-strength": 0.1}, depth=3) == hashes[0]


def test_a_run_holds_its_knobs_to_their_bounds(federation: Federation, seen: list[Settings]) -> None:
    with pytest.raises(TrainingError, match="augment-strength is 2.0 but must be from 0 to 1"):
        run(federation, {"augment-strength": 2.0})
    assert seen == []


def test_an_app_without_knobs_has_the_hash_of_before(federation: Federation) -> None:
    asked = Training.from_variables({"fl_num_rounds": 1, "fl_min_available_clients": 7})
    assert run(federation, {}, depth=3) == asked.configuration_hash
