# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A continuous training: sessions, and what begins them."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import Journal
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.sessions import Sessions

from .world import AGAIN, EPOCH, STOPPED, Killed, continuous, sessions

pytestmark = pytest.mark.usefixtures("own_account")


@pytest.mark.parametrize("key", ["num-rounds", "num-server-rounds", "server.rounds"])
def test_a_continuous_training_waits_for_supernodes_and_goes_on_when_one_comes(world, key) -> None:
    continuous(world, key)
    world.nodes["site2"] = "offline"
    world.later(40, lambda: world.nodes.update(site2="online"))
    world.later(120, lambda: world.finish("1", 3))
    world.later(300, lambda: world.nodes.update(site2="offline"))
    world.later(400, lambda: world.nodes.update(site2="online"))
    world.later(500, lambda: world.finish("2", 6))
    world.later(600, lambda: world.nodes.update(site3="online"))
    world.later(700, lambda: world.finish("3", 9))
    world.later(800, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6), (3, "nodes", 9)]
    assert [run.num_rounds for run in world.folder.ledger] == [3, 6, 9]
    assert world.configs == [f'resume = "{resume}"\n{key} = {rounds}\n'
                             for resume, rounds in (("never", 3), ("auto", 6), ("auto", 9))]  # fmt: skip
    assert [event["rounds"] for event in world.named("session_finished")] == [3, 6, 9]
    assert [event["waiting_for"] for event in world.named("waiting")] == [["site2"], ["site2"]]


@pytest.mark.parametrize("own", ["", "epochs = 2\n", "server.rounds = 3\n"])
def test_the_rounds_of_a_session_reach_an_app_that_has_them_in_its_code(world, own) -> None:
    """By the kit, whose word counts; a key of the app has the number as well, where it was set."""
    kit = 'fedops.training-name = "default"\n'
    world.ask(mode="continuous", run_config=own + kit)
    world.later(60, lambda: world.finish("1", 3))
    world.later(400, lambda: world.nodes.update(site4="online"))
    world.later(500, lambda: world.finish("2", 6))
    world.later(700, world.desk.stop)
    assert world.live() == STOPPED
    assert world.configs == [
        f"{own.replace('3', str(rounds))}{kit}fedops.num-server-rounds = {rounds}\n" for rounds in (3, 6)
    ]


def test_a_session_begins_after_an_interval_as_well(world) -> None:
    continuous(world, session_interval=200.0)
    world.later(60, lambda: world.finish("1", 3))
    world.later(400, lambda: world.finish("2", 6))
    world.later(450, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]
    begun = [at for at, call in world.called if call == "run"]
    assert begun[1] - 60 >= 200


def test_a_clock_that_is_set_back_does_not_hold_the_next_session_up(world, monkeypatch) -> None:
    continuous(world, session_interval=200.0)
    world.later(60, lambda: world.finish("1", 3))
    world.later(100, lambda: monkeypatch.setattr(submission.time, "time", lambda: EPOCH + world.at - 3600))
    world.later(400, lambda: world.finish("2", 6))
    world.later(450, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]
    begun = [at for at, call in world.called if call == "run"]
    assert 200 <= begun[1] - 100 < 300


def test_a_run_that_is_lost_in_a_session_is_followed_by_one_for_the_rest_of_it(world) -> None:
    continuous(world)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, lambda: world.nodes.update(site3="online"))
    world.later(160, lambda: world.die("2"))
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("3", 6))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6)]
    assert [run.num_rounds for run in world.folder.ledger] == [3, 6, 6]


def test_a_session_that_ended_while_nobody_watched_is_closed(world) -> None:
    continuous(world)

    world.killed_after(20)
    world.finish("1", 3)
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert ([event["session"] for event in world.named("session_finished")], world.calls.count("run")) == ([1], 1)


@pytest.mark.parametrize("remembered", [False, True])
def test_a_session_is_counted_and_told_of_once_whenever_its_supervisor_dies(world, monkeypatch, remembered) -> None:
    continuous(world)
    world.later(40, lambda: world.finish("1"))

    def die(*dummy: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if remembered:
            patch.setattr(Journal, "event", lambda self, name, *more, **facts: name == "session_finished" and die())
        else:
            patch.setattr(Sessions, "finish", die)
        with pytest.raises(Killed):
            world.live()
    world.later(100, lambda: world.nodes.update(site3="online"))
    world.later(200, lambda: world.finish("2", 6))
    world.later(260, world.desk.stop)
    assert world.live() == STOPPED
    assert world.memory.sessions == 2
    # A line of the journal may be lost with its supervisor, and is not told twice.
    told = [event["session"] for event in world.named("session_finished")]
    assert told == ([2] if remembered else [1, 2])
    assert len(world.runs) == 2


def test_a_continuous_training_that_is_trained_again_begins_a_session_at_once(world) -> None:
    continuous(world)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2")
    world.later(60, lambda: world.finish("2", 6))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (1, "first", 6)]


def test_a_session_that_was_stopped_is_finished_when_the_training_is_trained_again(world) -> None:
    continuous(world)
    for number in (1, 2, 3):
        world.later(10 + number, lambda number=number: world.round(number))
    world.later(15, lambda: world.finish("1", 3))
    world.later(30, lambda: world.nodes.update(site3="online"))
    # The run of the second session goes on from the checkpoint: it takes the result away.
    world.later(90, lambda: os.unlink(f"{world.folder.published}/result.json"))
    world.later(95, lambda: [world.round(4, "2"), world.round(5, "2")])
    world.later(105, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2")
    world.later(40, lambda: [world.round(6, "3"), world.finish("3", 6)])
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6), (1, "first", 6)]
    assert "num-rounds = 6" in world.configs[-1]


def test_a_training_that_is_forced_to_begin_anew_has_a_session_of_its_own(world) -> None:
    continuous(world)
    world.later(15, lambda: world.finish("1", 3))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2", force=True)
    world.later(40, lambda: world.finish("2", 3))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (1, "first", 3)]
