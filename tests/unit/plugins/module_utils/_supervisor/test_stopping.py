# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator stops a training, whatever is away or dies meanwhile."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    Run,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import program as _supervise
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory

from .world import AGAIN, STOPPED, Killed, flower_time

pytestmark = pytest.mark.usefixtures("own_account")


def test_an_operator_who_stops_it_stops_the_run_and_it_stays_so(world) -> None:
    world.ask()
    world.later(20, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.state, world.living) == ("stopped", "stopped", [])
    calls = len(world.calls)
    assert (world.live(), len(world.calls), world.desk.is_stopped) == (STOPPED, calls, True)


def test_a_pending_run_that_flower_cannot_be_told_to_stop_is_stopped_when_it_answers(world) -> None:
    world.ask()
    world.takes_up = False
    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)

    def nothing_is_said_to_be_over() -> None:
        assert (world.memory.state, world.memory.reason, world.memory.ended) == ("waiting", "superlink", "")
        assert world.memory.ending["reason"] == "operator"

    world.later(100, nothing_is_said_to_be_over)
    world.later(120, lambda: setattr(world, "away", False))
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.state, world.memory.ended) == ("stopped", "stopped", "1")


def test_a_supervisor_that_dies_while_it_cannot_stop_a_run_does_so_in_its_next_life(world) -> None:
    world.ask()
    world.takes_up = False

    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)
    world.killed_after(80)
    world.away = False
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.ended) == ("stopped", "1")


def test_a_run_under_way_is_stopped_by_a_supervisor_that_is_started_although_it_is_to_stand_still(world) -> None:
    world.ask()

    world.killed_after(20)
    world.desk.stop()
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.living) == ("stopped", [])


def test_a_run_whose_process_is_known_is_ended_by_that_when_flower_cannot_be_told(world) -> None:
    world.ask()
    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.at < 60, world.living) == (True, [])


def test_a_supervisor_that_dies_while_it_stops_a_run_does_not_take_that_for_an_operators_order(world) -> None:
    world.ask()
    world.later(12, lambda: world.die("1"))

    def stop(run_id: str) -> bool:
        world.set(run_id, status="stopped")
        raise Killed

    honest, world.stop = world.stop, stop
    with pytest.raises(Killed):
        world.live()
    world.stop = honest
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("2"))
    assert (world.live(), world.desk.is_stopped) == (0, False)


@pytest.mark.parametrize("word", ["pending", "failed"])
def test_a_run_that_was_left_is_stopped_as_soon_as_the_superlink_answers(world, monkeypatch, capsys, word) -> None:
    world.ask()
    world.runs["1"] = Run("1", word, None, "abcd", flower_time(0))
    world.desk.remember(Memory(request_id="1", state="stopped", run_id="1"))
    world.desk.stop()
    world.desk.leave("1")
    world.away = True
    world.later(500, lambda: setattr(world, "away", False))
    signs = []
    monkeypatch.setattr(_supervise.time, "sleep", world.sleep)
    monkeypatch.setattr(_supervise, "notify", lambda **facts: signs.append(world.at))
    monkeypatch.setattr(_supervise, "Flwr", lambda *dummy: SimpleNamespace(stop=world.stop))
    assert _supervise.main(["--home", world.home, "default"]) == STOPPED
    assert (world.runs["1"].alive, world.memory.ended, world.desk.left, world.desk.is_stopped) == (False, "1", "", True)
    assert 500 <= world.at < 510
    assert max(later - earlier for earlier, later in itertools.pairwise(signs)) < 10
    assert capsys.readouterr().out.splitlines() == [
        "default: run 1 is stopped as soon as the SuperLink answers.", "default: run 1 is stopped.",
    ]  # fmt: skip


def test_what_is_trained_again_meanwhile_is_not_stopped(world, monkeypatch) -> None:
    world.ask()
    world.desk.stop()
    world.desk.leave("1")
    world.away = True
    world.later(20, world.ask)
    monkeypatch.setattr(_supervise.time, "sleep", world.sleep)
    monkeypatch.setattr(_supervise, "Flwr", lambda *dummy: SimpleNamespace(stop=world.stop))
    assert _supervise.main(["--home", world.home, "default"]) == STOPPED
    assert (world.desk.left, world.at < 30) == ("", True)
