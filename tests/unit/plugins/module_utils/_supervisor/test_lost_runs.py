# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run is lost: its process is gone, or was never there, or stands still. Others are not taken for it."""

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import Process
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

from .world import AGAIN, STOPPED, Killed, World, flower_time

pytestmark = pytest.mark.usefixtures("own_account")


@pytest.mark.parametrize("adopted", [False, True])
def test_a_serverapp_that_the_kernel_killed_for_memory_is_named_as_such(world, adopted) -> None:
    world.ask()

    def kill() -> None:
        world.die("1")
        world.memory_kills = 4

    def die() -> None:
        raise Killed

    world.memory_kills = 3  # of others, long ago
    if adopted:
        world.later(10, die)
        with pytest.raises(Killed):
            world.live()
    world.later(12, kill)
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "out_of_memory"


def test_a_run_that_stalls_is_stopped_and_its_process_killed(world) -> None:
    world.ask(stall_floor=50)
    world.later(10, lambda: world.round(1))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "stalled"
    assert world.runs["1"].status == "stopped"
    assert [process.pid for process in world.killed] == [101]


def test_a_serverapp_that_is_frozen_until_flower_gives_it_up_does_not_stay(world) -> None:
    world.ask()
    world.later(100, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "no_heartbeat"
    assert [process.pid for process in world.killed] == [101]


def test_a_process_that_cannot_be_told_from_others_leaves_the_judgement_to_flower(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(Process(55, -500))  # of another training, begun long before
    world.skew = 10**6
    world.later(40, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert 40 < world.at < 70


OTHER = Process(999, 5)  # the ServerApp of another training, which began at nearly the same time


def other_training(world: World, **memory: object) -> None:
    folder = TrainingFolder(world.home, "other")
    os.makedirs(folder.path)
    with open(f"{folder.path}/supervision.json", "w") as stream:
        json.dump({"run_id": "9", **memory}, stream)


def test_of_two_trainings_that_begin_at_once_a_stop_ends_the_one_that_is_meant(world) -> None:
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    # Its run is stopped, but it hangs.
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert world.memory.processes == [[101, 4]]
    assert (world.killed, world.living) == ([Process(101, 4)], [OTHER])


def test_of_two_trainings_that_begin_at_once_a_death_is_seen_at_once(world) -> None:
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    world.later(60, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.at - 60 < 10, world.living) == (True, [OTHER])
    assert world.memory.restarts[-1]["reason"] == "serverapp_gone"


def test_a_serverapp_that_died_before_it_was_looked_for_is_not_confused_with_another(world) -> None:
    world.ask()
    world.later(3.1, lambda: [world.living.append(OTHER), world.die("1")])
    assert world.live() == AGAIN
    assert (world.at < 15, world.living) == (True, [OTHER])


def test_an_app_of_ones_own_is_not_confused_with_what_another_training_knows_to_be_its(world) -> None:
    world.tells_process = False
    other_training(world, processes=[[OTHER.pid, OTHER.ticks]])
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.memory.processes, world.living) == ([[101, 4]], [OTHER])


def test_while_several_processes_may_be_the_runs_none_is_killed_and_flower_is_believed(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(OTHER)
    world.later(60, lambda: world.die("1"))
    world.later(110, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert (world.memory.restarts[-1]["reason"], world.memory.processes) == ("no_heartbeat", [[999, 5], [101, 4]])
    assert (world.killed, world.living) == ([], [OTHER])


def test_a_process_that_was_taken_for_the_runs_is_given_back_when_another_training_tells_of_it(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(OTHER)
    world.later(8, lambda: other_training(world, processes=[[OTHER.pid, OTHER.ticks]]))
    world.later(60, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.at - 60 < 10, world.living) == (True, [OTHER])


def test_a_run_under_way_without_any_serverapp_on_the_host_is_lost(world) -> None:
    world.ask()
    world.skew = 10**6
    world.later(6, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.memory.restarts[-1]["reason"], world.at < 40) == ("serverapp_gone", True)


@pytest.mark.parametrize("looks_at", ["the next one", "no one"])
def test_a_serverapp_that_takes_too_long_to_begin_loses_its_run_to_another_one(world, looks_at) -> None:
    world.ask()
    world.takes_up = False
    first, second = Process(201, 4), Process(101, 35)

    def claim(process: Process) -> None:
        """Flower gives the run to a ServerApp, which has half a minute to ask for it."""
        world.set("1", status="starting", starting_at=flower_time(world.at))
        world.living.append(process)

    def begin() -> None:
        world.set("1", status="running")
        world.write("effective", {"run_id": "1", "process": {"pid": second.pid, "ticks": second.ticks}})

    world.later(4, lambda: claim(first))
    if looks_at == "no one":
        # The first one has ended before the run goes to the second one.
        world.later(33, lambda: [world.living.remove(first), world.set("1", status="pending", starting_at=None)])
        world.later(35, lambda: claim(second))
    else:
        world.later(35, lambda: claim(second))
        world.later(37, lambda: world.living.remove(first))
    world.later(55, begin)
    world.later(60, lambda: world.round(1))
    world.later(70, lambda: world.finish("1"))
    assert world.live() == 0
    assert [call for call in world.calls if call != "list"] == ["run"]
    assert (world.memory.restart_count, world.memory.processes) == (0, [[101, 35]])


def test_a_serverapp_that_ends_before_it_has_begun_is_not_waited_for(world) -> None:
    world.ask()
    world.takes_up = False
    process = Process(101, 4)
    world.later(
        4, lambda: [world.set("1", status="starting", starting_at=flower_time(4)), world.living.append(process)]
    )
    world.later(12, lambda: world.living.remove(process))
    assert world.live() == AGAIN
    assert [call for at, call in world.called if at >= 12] == ["list", "stop 1"]
    assert world.memory.restarts[-1]["reason"] == "serverapp_gone"
