# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisor begins after one that died: its run is taken up, and no other is taken for it."""

from __future__ import annotations

import signal
import threading

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    FlwrUnreachableError,
    Run,
    Submission,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import LedgerEntry, TrainingFolder

from .world import FAILED, Killed, flower_time

pytestmark = pytest.mark.usefixtures("own_account")


@pytest.mark.parametrize("end", ["finish", "round"])
def test_a_supervisor_that_is_killed_is_followed_by_one_that_adopts_the_run(world, end) -> None:
    world.ask()

    world.killed_after(20)
    if end == "finish":
        world.finish("1")
    else:
        world.later(20, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("run") == 1
    assert [event["run_id"] for event in world.named("run_adopted")] == ["1"]


def test_a_run_that_failed_while_nobody_watched_is_told_and_not_retried(world) -> None:
    world.ask()

    world.killed_after(20)
    world.fail("1")
    assert (world.live(), world.calls.count("run")) == (FAILED, 1)


def test_a_run_whose_submission_was_answered_to_a_dead_supervisor_is_found(world) -> None:
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    assert world.folder.ledger == []
    world.later(30, lambda: world.finish("1"))
    assert world.live() == 0
    assert (world.calls.count("run"), [run.run_id for run in world.folder.ledger]) == (1, ["1"])


def test_a_run_of_somebody_else_is_not_taken_for_ours(world) -> None:
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.plan.clear()  # it is still pending
    other = TrainingFolder(world.home, "other")
    other.record(LedgerEntry("1", "x", "abcd", 3, ""))
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert [run.run_id for run in world.folder.ledger] == ["2"]


def test_a_run_of_before_the_submission_is_not_taken_for_it(world) -> None:
    """Somebody submitted the same app by hand."""
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(world.at))
    world.sleep(60)
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (["2"], 1)


@pytest.mark.parametrize(("deployed", "claimed"), [("abcd", ["1"]), ("other", ["2"]), (None, ["1", "2"])])
def test_a_run_of_another_fab_is_not_taken_for_ours(world, monkeypatch, deployed, claimed) -> None:
    """Somebody submitted another app while ours was on its way."""
    monkeypatch.setattr(submission, "deployed_fab_hash", lambda home, app: deployed)
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.runs["2"] = Run("2", "pending", None, "other", flower_time(world.at))
    world.later(30, lambda: world.finish(claimed[-1]))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (claimed, 1)


def test_a_submission_whose_answer_is_lost_is_looked_for_and_not_repeated(world) -> None:
    """The SuperLink took the run, and went away before it could say so."""
    world.ask()
    honest = world.submit

    def silent(app: str, run_config: str | None) -> Submission:
        honest(app, run_config)
        raise FlwrUnreachableError("Nobody answers.")

    world.submit = silent
    world.later(30, lambda: world.finish("1"))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (["1"], 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_stopped_while_flower_accepts_a_run_writes_it_down_first(world, number) -> None:
    told: list[list[str]] = []
    honest = world.submit

    def disturbed(app: str, run_config: str | None) -> Submission:
        answer = honest(app, run_config)
        signal.pthread_kill(threading.get_ident(), number)
        return answer

    world.submit = disturbed
    world.ask()
    world.later(30, lambda: world.finish("1"))
    before = signal.signal(number, lambda *dummy: told.append([run.run_id for run in world.folder.ledger]))
    try:
        assert (world.live(), told) == (0, [["1"]])
    finally:
        signal.signal(number, before)
