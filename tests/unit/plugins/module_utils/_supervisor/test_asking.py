# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for: to begin anew, more rounds, another app or configuration, and what is refused."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower import app_record
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    FlwrError,
    Run,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import INVALID_RUN_CONFIG
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import LedgerEntry

from .world import AGAIN, REFUSED, flower_time

pytestmark = pytest.mark.usefixtures("own_account")


def test_a_training_that_begins_anew_does_so_once(world) -> None:
    world.ask(run_config='resume = "never"\nnum-rounds = 3\n', force=True)
    world.folder.record(LedgerEntry("0", "h", "abcd", 3, ""))
    world.write("result", {"run_id": "0", "configuration_hash": "h", "rounds": 3})
    world.later(5, lambda: os.unlink(f"{world.folder.published}/result.json"))  # as the app does when it begins anew
    world.later(12, lambda: world.die("1"))
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert [config.splitlines()[0] for config in world.configs] == ['resume = "never"', 'resume = "auto"']


def test_a_run_that_was_asked_for_fewer_rounds_is_followed_by_one_for_the_rest(world) -> None:
    world.ask(num_rounds=5)
    world.folder.record(LedgerEntry("1", "h", "abcd", 3, ""))
    world.runs["1"] = Run("1", "pending", None, "abcd", flower_time(0))
    world.start("1")
    world.later(20, lambda: world.finish("1", 3))
    world.later(60, lambda: world.finish("2", 5))
    assert world.live() == 0
    assert world.calls.count("run") == 1


@pytest.mark.parametrize(("before", "code", "told"), [("beef", "", True), ("abcd", "", False), ("beef", "a", False)])
def test_a_training_of_before_says_that_it_goes_on_with_another_app(world, monkeypatch, before, code, told) -> None:
    monkeypatch.setattr(submission, "deployed_fab_hash", lambda home, app: "abcdef01")
    world.folder.record(LedgerEntry("0", "h", before, 3, "t"))
    world.ask(code=code)
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0
    said = "/app holds another app than run 0 was of (its FAB is abcdef01, and was beef)"
    assert any(said in line for line in world.said) is told


def test_a_run_is_written_down_with_the_code_that_was_asked_for(world) -> None:
    world.ask(code="a" * 64)
    world.later(10, lambda: world.finish("1"))
    assert world.live() == 0
    assert [run.code for run in world.folder.ledger] == ["a" * 64]
    # The same is finished; with other code it is another training.
    world.ask(code="a" * 64, request_id="2")
    assert world.live() == 0
    assert len(world.runs) == 1
    world.ask(code="b" * 64, request_id="3")
    world.later(10, lambda: world.finish("2"))
    assert world.live() == 0
    assert [run.code for run in world.folder.ledger] == ["a" * 64, "b" * 64]


def test_another_configuration_that_is_alive_is_refused(world) -> None:
    world.ask()
    world.folder.record(LedgerEntry("1", "other", "abcd", 3, ""))
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(0))
    assert world.live() == REFUSED
    assert world.events[-1]["reason"] == "conflict"


def test_force_stops_what_is_alive(world) -> None:
    world.ask(force=True)
    world.folder.record(LedgerEntry("1", "other", "abcd", 3, ""))
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(0))
    world.later(20, lambda: world.finish("2"))
    assert (world.live(), world.runs["1"].status) == (0, "stopped")


@pytest.mark.parametrize(("code", "status"), [(INVALID_RUN_CONFIG, REFUSED), (None, AGAIN), (99, AGAIN)])
def test_a_refused_submission_ends_for_good_only_when_it_would_be_refused_again(world, code, status) -> None:
    world.ask()
    world.refusal = FlwrError("Flower says: no.", code)
    assert world.live() == status
    assert (world.memory.submitting, world.memory.fruitless) == ("", 1 if status == AGAIN else 0)


@pytest.mark.parametrize(("deployed", "status"), [("ab" * 32, AGAIN), ("abcd" * 16, 0), ("abcd", 0), (None, 0)])
def test_a_run_of_another_fab_than_is_deployed_is_stopped_and_not_followed(
    world, deployed, status, monkeypatch
) -> None:
    world.ask()
    monkeypatch.setattr(app_record, "deployed_fab_hash", lambda home, app: deployed)
    world.later(20, lambda: world.finish("1"))
    assert (world.live(), world.memory.submitting) == (status, "")
    assert world.runs["1"].status == ("completed" if status == 0 else "stopped")
    if status:
        assert (
            world.folder.ledger,
            "its FAB is abcd, but what is deployed" in world.named("flower_refused")[0]["message"],
        ) == ([], True)


def test_a_copy_of_an_app_that_is_not_what_was_put_aside_is_not_submitted(world, monkeypatch) -> None:
    def refuse(path: str) -> None:
        raise FlwrError(f"{path} is not the app that was put aside for this training")

    world.ask()
    monkeypatch.setattr(submission, "check_copy", refuse)
    assert world.live() == AGAIN
    assert world.calls.count("run") == 0
    assert world.memory.submitting == ""
    assert "/app is not the app that was put aside" in world.named("flower_refused")[0]["message"]
