# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An app that the collection did not make, of which only messages are seen."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    Submission,
)

from .world import AGAIN, FAILED, GIVEN_UP

pytestmark = pytest.mark.usefixtures("own_account")


def foreign(world, **changes: object) -> None:
    """An app that has no kit: it leaves no files, and Flower alone tells of it."""
    world.ask(reports=False, **changes)
    world.write = lambda stem, value: None
    submit = world.submit

    def counted(app: str, run_config: str | None) -> Submission:
        submission = submit(app, run_config)
        world.set(submission.run_id, traffic=0, client_seconds=0.0)
        return submission

    world.submit = counted


def replies(world, run_id: str, seconds: float) -> None:
    """Some ClientApps have replied by then."""
    if world.runs[run_id].alive:
        world.set(run_id, client_seconds=seconds, traffic=int(1000 * seconds))


def test_restarts_of_an_app_that_tells_of_no_rounds_are_not_fruitless_when_it_had_replies(world) -> None:
    foreign(world, attempts=2)
    for number in range(1, 6):
        run_id = str(number)
        world.later(20, lambda run_id=run_id: replies(world, run_id, 3.0))
        world.later(30, lambda run_id=run_id: world.die(run_id))
        assert world.live() == AGAIN
        assert world.memory.fruitless == 0
    assert world.memory.restart_count == 5


def test_restarts_of_an_app_that_never_had_a_reply_are_fruitless(world) -> None:
    foreign(world, attempts=2)
    for number in ("1", "2"):
        world.later(30, lambda number=number: world.die(number))
        assert world.live() == AGAIN
    assert world.live() == GIVEN_UP


def test_a_superlink_that_is_lost_is_no_fault_of_an_app_that_tells_nothing(world) -> None:
    foreign(world)

    def gone() -> None:
        world.away, world.superlink_unit = True, replace(world.superlink_unit, active="activating", pid=0)

    def back() -> None:
        world.away, world.superlink_unit = False, replace(world.superlink_unit, pid=9)
        world.set("1", status="failed", details="ServerApp failed with exception: [Errno 111] Connection refused")
        world.die("1")

    world.later(70, gone)
    world.later(90, back)
    assert world.live() == AGAIN
    lost = world.memory.restarts[-1]
    assert (lost["reason"], lost["detail"]) == (
        "superlink_lost",
        "The SuperLink was lost: [Errno 111] Connection refused",
    )


def test_a_failure_long_after_the_superlink_was_away_is_the_apps_own(world) -> None:
    foreign(world)
    world.later(70, lambda: setattr(world, "superlink_unit", replace(world.superlink_unit, pid=9)))
    world.later(100, lambda: replies(world, "1", 2.0))

    def fail() -> None:
        world.set("1", status="failed", details="ServerApp failed with exception: no data")
        world.die("1")

    world.later(500, fail)
    assert world.live() == FAILED
    assert world.memory.reason == "app"


@pytest.mark.parametrize(("seconds", "status"), [(0.0, FAILED), (4.0, 0)])
def test_a_run_that_nobody_ever_replied_in_is_not_finished(world, seconds: float, status: int) -> None:
    foreign(world)
    world.later(20, lambda: replies(world, "1", seconds))
    world.later(30, lambda: (world.set("1", status="completed"), world.die("1")))
    assert world.live() == status
    assert world.memory.reason == ("completed" if status == 0 else "no_reply")
    assert world.live() == status  # also at the next boot


def test_a_run_that_passes_no_messages_any_more_is_stalled(world) -> None:
    world.patience = 3000
    foreign(world, stall_floor=100.0, first_round=2000.0)
    for at in range(100, 1000, 50):
        world.later(at, lambda at=at: replies(world, "1", float(at)))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "silence"
    assert 1900 < world.at < 2400  # ten times the longest wait, from the last reply on


def test_a_slow_first_round_of_an_app_that_was_adopted_is_waited_for(world) -> None:
    world.patience = 5000
    foreign(world, stall_floor=100.0, first_round=5000.0)
    world.later(20, lambda: replies(world, "1", 5.0))
    world.killed_after(40)
    world.later(4000, lambda: replies(world, "1", 9.0))
    world.later(4100, lambda: (world.set("1", status="completed"), world.die("1")))
    assert world.live() == 0


def test_a_round_that_waits_for_sites_that_took_part_is_told_and_takes_no_time(world) -> None:
    world.ask(stall_floor=60.0, first_round=60.0)
    words = ["site-aaaaaaaaaaaa", "elsewhere"]
    world.later(20, lambda: world.write("waiting", {"run_id": "1", "round": 3, "sites": words, "seconds": 300.0}))
    world.later(320, lambda: os.unlink(f"{world.folder.published}/waiting.json"))
    for number, at in ((1, 330), (2, 340), (3, 350)):
        world.later(at, lambda number=number: world.round(number))
    world.later(360, lambda: world.finish("1"))
    assert world.live() == 0
    (waiting,) = world.named("waiting")
    assert (waiting["reason"], waiting["waiting_for"]) == ("rejoin", words)
    assert waiting["message"].startswith("Round 3 waits for sites that took part before: site-aaaa")
    assert len(world.named("waiting_over")) == 1


@pytest.mark.parametrize("told", [{"run_id": "7", "round": 3, "sites": ["a"]}, {"run_id": "1"}, {"sites": 5}])
def test_a_wait_of_another_run_and_one_that_is_damaged_are_none(world, told: dict) -> None:
    world.ask()
    world.later(10, lambda: world.write("waiting", told))
    world.later(40, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.named("waiting") == []
