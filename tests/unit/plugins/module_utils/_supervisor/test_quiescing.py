# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation that is quiesced: rounds are finished, and nothing begins."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order, lift_order

from .world import GIVEN_UP, QUIESCED, STOPPED, continuous, sessions

pytestmark = pytest.mark.usefixtures("own_account")


def test_a_quiesced_training_ends_after_its_round_and_goes_on_when_it_is_resumed(world) -> None:
    world.ask(run_config='resume = "never"\nnum-rounds = 3\n')
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(30, lambda: world.round(1))
    world.later(31, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    assert world.live() == QUIESCED
    assert (world.runs["1"].status, world.memory.state, world.memory.detail) == (
        "failed", "quiesced", "Quiesced after round 1 of 3.",
    )  # fmt: skip
    assert world.named("training_quiesced")[0] | {"time": 0, "message": ""} == {
        "event": "training_quiesced", "training": "default", "time": 0, "message": "", "reason": "quiesced",
        "run_id": "1", "restarts": 0,
    }  # fmt: skip
    calls = len(world.calls)
    assert world.live() == QUIESCED  # as at a boot
    assert (len(world.calls), world.memory.detail) == (calls, "Quiesced after round 1 of 3.")
    lift_order(world.folder.parent)
    world.later(1, lambda: world.states.append(world.memory.state))
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert world.states == ["starting"]
    assert (world.memory.restart_count, world.memory.fruitless, world.named("run_lost")) == (0, 0, [])
    assert 'resume = "auto"' in world.configs[1]


def test_a_round_that_is_not_finished_in_time_is_stopped_and_trained_again_later(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 60))
    assert world.live() == QUIESCED
    assert 70 < world.at < 85
    assert (world.runs["1"].status, world.living) == ("stopped", [])
    assert "not finished in time" in world.memory.detail
    lift_order(world.folder.parent)
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_run_that_has_not_begun_does_not_begin_while_the_federation_is_quiesced(world) -> None:
    world.ask()
    world.takes_up = False
    world.later(6, lambda: give_order(world.folder.parent, 600))
    assert world.live() == QUIESCED
    assert (world.runs["1"].status, world.at < 20) == ("stopped", True)


def test_nothing_is_submitted_while_the_federation_is_quiesced(world) -> None:
    world.ask()
    give_order(world.folder.parent, 600)
    assert world.live() == QUIESCED
    assert world.calls == []


def test_a_supervisor_that_comes_back_takes_its_run_up_and_lets_it_finish_its_round(world) -> None:
    world.ask()
    world.killed_after(10)
    give_order(world.folder.parent, 600)
    world.later(20, lambda: world.round(1))
    world.later(21, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    assert world.live() == QUIESCED
    assert "stop 1" not in world.calls


def test_a_training_that_is_resumed_before_it_stood_still_goes_on_at_once(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(20, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    world.later(20, lambda: lift_order(world.folder.parent))
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert (world.memory.restart_count, len(world.named("run_submitted"))) == (0, 2)


def test_a_training_that_ends_in_its_round_is_completed_although_the_federation_is_quiesced(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0


def test_a_continuous_training_begins_no_session_while_the_federation_is_quiesced(world) -> None:
    continuous(world, session_interval=200.0)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, lambda: give_order(world.folder.parent, 600))
    assert world.live() == QUIESCED
    assert world.at < 105
    lift_order(world.folder.parent)
    world.later(400, lambda: world.finish("2", 6))
    world.later(420, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]


def test_an_app_that_says_again_and_again_that_it_was_quiesced_is_given_up(world) -> None:
    """Nobody has quiesced anything: it would be submitted for ever."""
    world.ask(attempts=3)
    start = world.start

    def fails_at_once(run_id: str) -> None:
        start(run_id)
        world.later(1, lambda: world.fail(run_id, "quiesced", "so it is"))

    world.start = fails_at_once
    assert world.live() == GIVEN_UP
    assert (world.memory.fruitless, len(world.runs)) == (3, 3)
