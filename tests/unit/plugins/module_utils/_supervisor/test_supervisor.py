# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lives of the supervisor: a training is completed, or its app or the SuperLink fails."""

from __future__ import annotations

import io
import itertools
import json
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    FlwrError,
    Run,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import watch

from .world import ACTIVE, AGAIN, FAILED, GIVEN_UP, STOPPED, flower_time

pytestmark = pytest.mark.usefixtures("own_account")


def test_a_training_is_submitted_followed_and_completed(world) -> None:
    world.ask()
    for number in (1, 2, 3):
        world.later(5 + 5 * number, lambda number=number: world.round(number))
    world.later(21, lambda: world.finish("1"))
    assert world.live() == 0
    assert [event["event"] for event in world.events] == [
        "supervision_started", "run_submitted", "round_finished", "round_finished", "round_finished",
        "training_completed",
    ]  # fmt: skip
    assert world.events[-1]["rounds"] == 3
    assert world.said[-1] == "default: completed. 3 rounds, loss 0.5000"
    assert (world.memory.state, world.memory.ended, world.memory.restart_count) == ("completed", "1", 0)
    assert [(run.run_id, run.configuration_hash, run.num_rounds) for run in world.folder.ledger] == [("1", "h", 3)]


def test_what_is_completed_is_not_trained_again_at_the_next_boot(world) -> None:
    world.ask()
    world.later(10, lambda: world.finish("1"))
    assert world.live() == 0
    calls = len(world.calls)
    assert world.live() == 0
    assert len(world.calls) == calls
    assert world.said[-1] == "default: completed, already before."


def test_a_serverapp_that_is_killed_has_its_run_stopped_and_the_next_submitted_at_once(world) -> None:
    world.ask()
    world.later(10, lambda: world.round(1))
    world.later(12, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert world.runs["1"].status == "stopped"
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    # The question that stops the run, and the submission: nothing else stands between the death and the next run.
    assert [call for at, call in world.called if at >= 12][:2] == ["stop 1", "run"]
    assert [at for at, call in world.called if call == "run"][1] - 12 < 5
    assert world.named("run_lost")[0] | {"time": 0} == {
        "event": "run_lost", "training": "default", "time": 0, "message": "The process of the ServerApp is gone.",
        "reason": "serverapp_gone", "run_id": "1", "round": 1, "restarts": 1,
    }  # fmt: skip
    assert world.memory.restart_count == 1


def test_a_superexec_that_is_killed_is_named_as_the_reason(world) -> None:
    world.ask()

    def kill() -> None:
        world.die("1")
        world.set("1", status="failed", details="Task failed with unknown error.")
        world.unit = replace(ACTIVE, active="activating", pid=0)

    world.later(12, kill)
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "superexec_gone"
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert [call for at, call in world.called if at >= 12][:2] == ["list", "run"]


def test_a_superlink_that_restarts_is_waited_for_and_nothing_is_submitted_again(world) -> None:
    world.ask()

    def back() -> None:
        world.away, world.superlink_unit = False, replace(world.superlink_unit, pid=9)

    def gone() -> None:
        world.away, world.superlink_unit = True, replace(world.superlink_unit, active="activating", pid=0)

    world.later(70, gone)
    world.later(85, back)
    world.later(200, lambda: world.finish("1"))
    assert world.live() == 0
    assert len(world.named("superlink_restarted")) == 1
    assert [event["reason"] for event in world.named("waiting")] == ["superlink"]
    assert len(world.named("waiting_over")) == 1
    assert world.calls.count("run") == 1


def test_a_superlink_that_is_away_at_the_beginning_is_waited_for(world) -> None:
    world.ask()
    world.away = True
    world.later(30, lambda: setattr(world, "away", False))
    world.later(60, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.named("waiting")[0]["reason"] == "superlink"


def test_a_serverapp_that_dies_while_the_superlink_is_away_is_judged_when_it_is_back(world) -> None:
    world.ask()
    world.later(70, lambda: setattr(world, "away", True))
    world.later(80, lambda: world.die("1"))
    world.later(130, lambda: setattr(world, "away", False))
    assert world.live() == AGAIN
    assert (world.at > 130, world.memory.restarts[-1]["reason"]) == (True, "serverapp_gone")


def test_an_app_that_fails_is_told_with_its_log_and_not_retried_also_not_at_the_next_boot(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1"))
    assert world.live() == FAILED
    assert world.said[-3:] == [
        "RuntimeError: no data", world.said[-2], "default: failed in the app, which would fail again. no data",
    ]  # fmt: skip
    assert world.events[-1]["log_tail"] == ["Traceback", "RuntimeError: no data"]
    calls = len(world.calls)
    assert (world.live(), len(world.calls)) == (FAILED, calls)


def test_an_app_that_fails_is_retried_when_that_is_asked_for_until_it_is_given_up(world) -> None:
    world.ask(retry_failed=True, attempts=3)
    ends = []
    for number in ("1", "2", "3"):
        world.later(10, lambda number=number: world.fail(number))
        ends.append(world.live())
    assert ends == [AGAIN] * 3
    assert world.live() == GIVEN_UP
    assert world.named("training_given_up")[0]["restarts"] == 3
    assert [event["reason"] for event in world.named("waiting")] == ["pause"]


def test_a_new_request_clears_a_failure(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1"))
    assert world.live() == FAILED
    world.ask(request_id="2")
    world.later(10, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_run_that_is_stopped_by_hand_stays_stopped(world) -> None:
    world.ask()
    world.later(70, lambda: (world.set("1", status="stopped"), world.die("1")))
    assert world.live() == STOPPED
    assert world.desk.is_stopped
    assert world.named("training_stopped")[0]["reason"] == "flwr_stop"
    world.ask(request_id="2")
    world.later(20, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_flower_that_refuses_everything_is_asked_with_growing_pauses_and_then_given_up(world) -> None:
    world.ask(attempts=5)

    world.refusal = FlwrError("Flower says: Read-only file system.")
    ends = [world.live() for dummy in range(5)]
    assert ends == [AGAIN] * 4 + [GIVEN_UP]
    begun = [at for at, dummy in world.called]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(begun)] == [2, 7, 17, 47]
    assert world.said[-1].endswith("The last one: Flower says: Read-only file system.")


def test_a_superlink_that_has_lost_its_database_gets_the_run_again(world) -> None:
    world.ask()
    world.later(20, lambda: (world.runs.clear(), world.die("1")))
    world.later(20, lambda: world.runs.update({"9": Run("9", "completed", None, "x", flower_time(0))}))

    def unknown(run_id: str) -> bool:
        world._call(f"stop {run_id}")
        return False

    world.stop = unknown
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "superlink_forgot"


def test_what_an_app_has_said_is_one_line(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1", message="two\nlines"))
    world.live()
    assert world.events != []
    assert world.said[-1] == "default: failed in the app, which would fail again. two lines"


def test_a_message_that_is_no_text_ends_a_training_like_any_other(world) -> None:
    world.journal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    world.ask()
    world.later(20, lambda: world.fail("1", message="No such file: '/data/\udcff.csv'"))
    assert world.live() == FAILED
    lines = world.journal.buffer.getvalue().decode().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(event["event"], event["reason"]) for event in events[-1:]] == [("training_failed", "app")]


def test_a_well_run_is_asked_for_now_and_then(world) -> None:
    world.ask()
    for number in range(1, 60):
        world.later(10 * number, lambda number=number: world.round(number))
    world.later(600, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("list") <= 600 / watch.ASK_A_WELL_RUN + 4
