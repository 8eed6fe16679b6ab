# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training waits for SuperNodes, for a directory, for a SuperExec, and says so."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from .world import ACTIVE, AGAIN, REFUSED

pytestmark = pytest.mark.usefixtures("own_account")


def test_a_run_that_ended_for_want_of_supernodes_is_followed_by_waiting_for_them_by_name(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1", "too_few_nodes", "Only 1 of 2"))
    world.later(11, lambda: world.nodes.update(site2="offline"))
    assert world.live() == AGAIN
    world.later(100, lambda: world.nodes.update(site2="online"))
    world.later(170, lambda: world.finish("2"))
    assert world.live() == 0
    assert [(event["reason"], event["waiting_for"]) for event in world.named("waiting")] == [("nodes", ["site2"])]
    assert world.memory.fruitless == 0


def test_supernodes_that_nobody_of_the_inventory_registered_do_not_count(world) -> None:
    world.nodes.update({"66": "online", "67": "offline"})
    test_a_run_that_ended_for_want_of_supernodes_is_followed_by_waiting_for_them_by_name(world)


def test_in_a_round_they_do_not_count_either(world) -> None:
    world.nodes.update({"66": "online", "67": "offline"})
    test_a_running_round_that_lacks_supernodes_says_for_whom_it_waits_and_is_not_stalled(world)


def test_a_directory_that_another_run_holds_is_waited_for_and_the_training_is_not_given_up(world) -> None:
    world.ask(attempts=2)
    ended = []
    for number in ("1", "2", "3"):
        world.later(80, lambda number=number: world.fail(number, "directory_busy", "another run is saving there"))
        assert world.live() == AGAIN
        ended.append(world.at)
    world.later(90, lambda: world.finish("4"))
    assert world.live() == 0
    submitted = [at for at, call in world.called if call == "run"][1:]
    assert [begun - end >= 60 for begun, end in zip(submitted, ended, strict=True)] == [True] * 3
    assert {event["reason"] for event in world.named("waiting")} == {"directory_busy"}
    assert world.memory.fruitless == 0


def test_a_training_in_the_directory_of_one_that_goes_on_is_refused_before_anything_is_submitted(world) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    other = Desk(TrainingFolder(world.home, "other"))
    other.ask(Request("other", "/app", config, request_id="1"))
    os.utime(f"{other.folder.path}/request.json", (1, 1))  # it was there before
    world.ask(run_config=config)
    assert (world.live(), world.runs) == (REFUSED, {})
    assert world.memory.reason == "directory_shared"
    assert "fl_checkpoint_path is /c, where the training other saves" in world.said[-1]
    other.stop()
    world.ask(run_config=config, request_id="2")
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0


def test_a_training_whose_run_is_lost_keeps_its_directory_from_one_that_waits_for_it(world) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    world.ask(run_config=config)
    world.later(10, lambda: world.round(1))
    world.later(12, lambda: world.die("1"))
    other = Desk(TrainingFolder(world.home, "other"))
    other.ask(Request("other", "/app", config, request_id="1"))
    os.utime(f"{other.folder.path}/request.json", (1, 1))
    other.remember(Memory(request_id="1", state="running", run_id="9", runs=1))
    Desk(world.folder).remember(Memory(request_id="1", began=True))
    assert world.live() == AGAIN
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_running_round_that_lacks_supernodes_says_for_whom_it_waits_and_is_not_stalled(world) -> None:
    world.ask(stall_floor=100, first_round=100)
    world.later(20, lambda: world.nodes.update(site1="offline"))
    world.later(1000, lambda: world.nodes.update(site1="online"))
    world.later(1050, lambda: world.round(1))
    world.later(1060, lambda: world.finish("1"))
    assert world.live() == 0
    assert [event["waiting_for"] for event in world.named("waiting")] == [["site1"]]
    assert world.named("run_lost") == []


def test_a_pending_run_says_that_the_superexec_is_missing_and_goes_on_when_it_is_back(world) -> None:
    world.ask()
    world.takes_up = False
    world.unit = replace(ACTIVE, active="inactive", pid=0)

    def back() -> None:
        world.unit = ACTIVE
        world.start("1")

    world.later(60, back)
    world.later(80, lambda: world.finish("1"))
    assert world.live() == 0
    (waiting,) = world.named("waiting")
    assert (waiting["reason"], "inactive" in waiting["message"]) == ("superexec", True)
