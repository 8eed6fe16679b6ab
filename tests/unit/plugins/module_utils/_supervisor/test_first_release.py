# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor goes on with a training that the first release has begun."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import Run
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import Process
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._training import quiesce_order
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from .world import AGAIN, EPOCH, World, flower_time

RECORDED = Path(__file__).parents[3] / "recorded"
REQUEST = json.loads((RECORDED / "trainings" / "ward" / "request.json").read_text())


@pytest.fixture
def world(tmp_path, monkeypatch, own_account) -> World:
    """The host on which it was begun; its supervisor is of this release."""
    world = World(tmp_path)
    monkeypatch.setattr(submission.time, "time", lambda: EPOCH + world.at)
    monkeypatch.setattr(quiesce_order, "boot_seconds", world.monotonic)
    for name in ("trainings", "published"):
        shutil.copytree(RECORDED / name, tmp_path / name)
    world.folder = TrainingFolder(world.home, "ward")
    world.desk = Desk(world.folder)
    world.nodes = {f"site{number}": "online" for number in (1, 2, 3)}
    world.runs["1"] = Run("1", "running", None, "abcdef01", flower_time(0))
    return world


def test_it_submits_what_was_asked_for_and_knows_it_when_it_is_trained(world) -> None:
    assert world.live() == AGAIN  # its ServerApp is gone
    end = {"run_id": "2", "configuration_hash": REQUEST["configuration_hash"], "rounds": 4, "loss": 0.5}
    world.later(30, lambda: world.write("result", end))
    world.later(31, lambda: world.set("2", status="completed"))
    world.later(31, lambda: world.die("2"))
    assert world.live() == 0
    assert world.configs == [REQUEST["run_config"]]
    assert [(run.run_id, run.configuration_hash) for run in world.folder.ledger] == [
        ("1", REQUEST["configuration_hash"]),
        ("2", REQUEST["configuration_hash"]),
    ]
    calls = len(world.calls)
    assert world.live() == 0  # at the next boot
    assert len(world.calls) == calls


def test_it_follows_the_run_that_is_under_way(world) -> None:
    world.living = [Process(**json.loads((RECORDED / "published/ward/effective.json").read_text())["process"])]
    end = {"run_id": "1", "configuration_hash": REQUEST["configuration_hash"], "rounds": 4, "loss": 0.5}
    world.later(30, lambda: world.write("result", end))
    world.later(31, lambda: world.set("1", status="completed"))
    assert world.live() == 0
    assert world.configs == []
