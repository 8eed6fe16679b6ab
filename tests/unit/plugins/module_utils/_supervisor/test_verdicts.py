# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor makes of what it sees: a table."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import APP_RAISED
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import endings
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import (
    AGAIN,
    FAILED,
    FINISHED,
    GIVEN_UP,
    GO_ON,
    QUIESCED,
    STOPPED,
    WAIT,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.verdicts import (
    UNREACHABLE,
    Limits,
    Sighting,
    Verdict,
    give_up,
    judge,
    pause,
    round_budget,
)

LIMITS = Limits(stall_floor=60, first_round=500, needed=3)
RAISED = APP_RAISED + "the data went away"
BEAT = "No heartbeat received from the task"


def told(**failure: str) -> dict:
    return {"failure": {"reason": "failed", "message": "so it is", **failure}}


@pytest.mark.parametrize(
    ("word", "seen", "kind", "reason"),
    [
        # all is well
        ("pending", {}, GO_ON, ""),
        ("starting", {}, GO_ON, ""),
        ("running", {}, GO_ON, ""),
        ("running", {"process": "living", "quiet": 499}, GO_ON, ""),
        ("running", {"process": "living", "quiet": 59, "rounds": (1.0,)}, GO_ON, ""),
        ("running", {"process": "living", "quiet": 299, "rounds": (30.0, 1.0)}, GO_ON, ""),
        ("running", {"has_result": True, "process": "living"}, GO_ON, ""),
        # all trainings are to stand still: the round is finished first, if it can be
        ("running", {"quiesce": 30.0, "process": "living"}, GO_ON, ""),
        ("starting", {"quiesce": 30.0}, GO_ON, ""),
        ("pending", {"quiesce": 30.0}, QUIESCED, "quiesced"),
        ("running", {"quiesce": -1.0, "process": "living"}, QUIESCED, "quiesced"),
        (UNREACHABLE, {"quiesce": -1.0, "process": "living"}, QUIESCED, "quiesced"),
        (UNREACHABLE, {"quiesce": 30.0, "process": "living"}, WAIT, "superlink"),
        ("running", {"quiesce": -1.0, "stop_asked": True}, STOPPED, "operator"),
        ("completed", {"quiesce": -1.0, "has_result": True}, FINISHED, "completed"),
        ("running", {"quiesce": -1.0, "process": "gone"}, AGAIN, "serverapp_gone"),
        ("failed", {"quiesce": -1.0, "details": RAISED, "process": "gone"}, FAILED, "app"),
        ("failed", {"details": RAISED, **told(reason="quiesced")}, QUIESCED, "quiesced"),
        ("running", {"process": "gone", **told(reason="quiesced")}, QUIESCED, "quiesced"),
        # the end, by Flower's word and by the result
        ("completed", {"has_result": True}, FINISHED, "completed"),
        ("completed", {}, FAILED, "no_result"),
        ("running", {"has_result": True, "process": "gone"}, FINISHED, "completed"),
        ("failed", {"has_result": True, "details": BEAT}, FINISHED, "completed"),
        ("lost", {"has_result": True}, FINISHED, "completed"),
        (UNREACHABLE, {"has_result": True, "process": "gone"}, FINISHED, "completed"),
        (UNREACHABLE, {"has_result": True, "process": "living"}, WAIT, "superlink"),
        # the app has failed: it would fail again
        ("failed", {"details": RAISED, "process": "gone"}, FAILED, "app"),
        ("failed", {"details": RAISED, **told()}, FAILED, "app"),
        ("running", {"process": "gone", **told(reason="exception")}, FAILED, "app"),
        # the app has failed for want of others
        ("failed", {"details": RAISED, **told(reason="too_few_nodes")}, AGAIN, "too_few_nodes"),
        ("failed", {"details": RAISED, **told(reason="nodes_unavailable")}, AGAIN, "nodes_unavailable"),
        ("failed", {"details": RAISED, **told(reason="superlink_lost")}, AGAIN, "superlink_lost"),
        ("failed", {"details": RAISED, **told(reason="directory_busy")}, AGAIN, "directory_busy"),
        ("running", {"process": "gone", **told(reason="too_few_nodes")}, AGAIN, "too_few_nodes"),
        # its process is gone
        ("running", {"process": "gone"}, AGAIN, "serverapp_gone"),
        ("starting", {"process": "gone"}, AGAIN, "serverapp_gone"),
        ("pending", {"process": "gone"}, AGAIN, "serverapp_gone"),
        ("pending", {"process": "gone", "pending": 16}, AGAIN, "serverapp_gone"),
        ("running", {"process": "gone", "online": 2, "missing": ("site3",)}, AGAIN, "serverapp_gone"),
        ("running", {"process": "gone", "quiet": 501}, AGAIN, "serverapp_gone"),
        ("stopped", {"process": "gone"}, STOPPED, "flwr_stop"),
        ("lost", {"process": "gone"}, AGAIN, "superlink_forgot"),
        ("failed", {"process": "gone", "details": "Task failed with unknown error."}, AGAIN, "serverapp_gone"),
        ("failed", {"process": "gone", "details": BEAT}, AGAIN, "serverapp_gone"),
        ("failed", {"process": "living", "details": BEAT}, AGAIN, "no_heartbeat"),
        ("failed", {"process": "unknown", "details": BEAT}, AGAIN, "no_heartbeat"),
        ("running", {"process": "gone", "executor": "unknown"}, AGAIN, "serverapp_gone"),
        ("running", {"process": "gone", "executor": "activating"}, AGAIN, "superexec_gone"),
        ("running", {"process": "gone", "executor_changed": True}, AGAIN, "superexec_gone"),
        ("running", {"process": "gone", "killed_for_memory": True, "executor_changed": True}, AGAIN, "out_of_memory"),
        # the SuperLink is away: a run outlives that, unless its process is gone, which is judged when it is back
        (UNREACHABLE, {"process": "living"}, WAIT, "superlink"),
        (UNREACHABLE, {"process": "gone"}, WAIT, "superlink"),
        ("lost", {}, AGAIN, "superlink_forgot"),
        # the SuperExec is away
        ("pending", {"pending": 14}, GO_ON, ""),
        ("pending", {"pending": 16, "executor": "failed"}, WAIT, "superexec"),
        ("pending", {"pending": 16, "executor": "active"}, WAIT, "superexec"),
        # too few SuperNodes, and a round that does not end though there are enough
        ("running", {"online": 2, "missing": ("site3",), "quiet": 9999}, WAIT, "nodes"),
        ("running", {"online": 3, "quiet": 501}, AGAIN, "stalled"),
        ("running", {"quiet": 501}, AGAIN, "stalled"),
        ("running", {"quiet": 61, "rounds": (1.0,)}, AGAIN, "stalled"),
        ("running", {"quiet": 119, "rounds": (1.0,), "fruitless": 1}, GO_ON, ""),
        # sites that took part before are waited for, and the time is not the round's
        ("running", {"rejoining": ("site3",), "process": "living", "waits_in": 4}, WAIT, "rejoin"),
        ("running", {"rejoining": ("site3",), "process": "gone"}, AGAIN, "serverapp_gone"),
        ("running", {"rejoining": ("site3",), "stop_asked": True}, STOPPED, "operator"),
        # somebody wants it to stop
        ("stopped", {}, STOPPED, "flwr_stop"),
        ("running", {"stop_asked": True}, STOPPED, "operator"),
        (UNREACHABLE, {"stop_asked": True}, STOPPED, "operator"),
        ("failed", {"stop_asked": True, "details": RAISED}, STOPPED, "operator"),
    ],
)
def test_what_is_seen_leads_to_one_verdict(word, seen, kind, reason) -> None:
    verdict = judge(Sighting(word, **seen), LIMITS)
    assert (verdict.kind, verdict.reason) == (kind, reason)
    assert verdict.ends == (kind not in (GO_ON, WAIT))
    assert bool(verdict.text) == (kind != GO_ON)


@pytest.mark.parametrize("reason", [*endings.TOLD_BY_APP.values(), endings.APP], ids=lambda reason: reason.word)
def test_an_app_that_gives_a_reason_and_no_words_is_believed(reason) -> None:
    verdict = judge(Sighting("running", process="gone", failure={"reason": reason.word, "message": ""}), LIMITS)
    assert verdict == Verdict(reason.kind, reason.word, "The app does not say why.")


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (Sighting("failed", RAISED), "the data went away"),
        (Sighting("failed", RAISED, **told(message="Only 2 of 3")), "Only 2 of 3"),
        (
            Sighting("running", online=1, missing=("a", "b")),
            "SuperNodes online: 1 of 3 needed. Not online: a, b.",
        ),
        (
            Sighting("running", rejoining=("a", "b"), waits_in=4),
            "Round 4 waits for sites that took part before: a, b. It goes on without them after fl_rejoin_timeout.",
        ),
        (
            Sighting("running", online=1),
            "SuperNodes online: 1 of 3 needed. No other SuperNode is registered."
            " The playbook fedops.flower.site registers them, also again when the SuperLink has lost its database.",
        ),
        (
            Sighting("pending", pending=60, executor="not found"),
            "The run is pending, because flower-superexec has not taken it up. systemd says that it is not found."
            " Start it: the run is taken up then.",
        ),
    ],
)
def test_a_verdict_says_what_a_person_needs(seen, text) -> None:
    assert judge(seen, LIMITS).text == text


def test_an_app_that_tells_nothing_completes_by_flowers_word_and_is_never_stalled() -> None:
    limits = replace(LIMITS, reports=False)
    assert judge(Sighting("completed"), limits).kind == FINISHED
    assert judge(Sighting("running", quiet=1e9), limits).kind == GO_ON


SILENT = replace(LIMITS, reports=False)


@pytest.mark.parametrize(
    ("seen", "kind", "reason"),
    [
        (Sighting("completed", replied=True), FINISHED, "completed"),
        (Sighting("completed", replied=False), FAILED, "no_reply"),
        (Sighting("running", replied=False, quiet=499), GO_ON, ""),
        (Sighting("running", replied=False, quiet=501), AGAIN, "silence"),
        (Sighting("running", replied=True, rounds=(40.0, *[1.0] * 20), quiet=399), GO_ON, ""),
        (Sighting("running", replied=True, rounds=(40.0, *[1.0] * 20), quiet=401), AGAIN, "silence"),
        (Sighting("running", replied=True, rounds=(40.0,), quiet=401, online=2), WAIT, "nodes"),
        (Sighting("failed", RAISED, superlink_was_away=True), AGAIN, "superlink_lost"),
        (Sighting("failed", RAISED), FAILED, "app"),
    ],
)
def test_of_an_app_that_tells_nothing_flowers_counts_are_known(seen, kind, reason) -> None:
    verdict = judge(seen, SILENT)
    assert (verdict.kind, verdict.reason) == (kind, reason)


def test_an_app_that_tells_of_its_failure_is_believed_though_the_superlink_was_away() -> None:
    seen = Sighting("failed", RAISED, superlink_was_away=True, **told(reason="exception"))
    assert judge(seen, LIMITS).reason == "app"


def test_the_budget_of_a_round_follows_the_last_ones_and_grows_when_it_was_too_small() -> None:
    assert round_budget((), 0, LIMITS) == 500
    assert round_budget((1.0, 2.0), 0, LIMITS) == 60
    assert round_budget((1.0, 50.0), 0, LIMITS) == 500
    assert round_budget((900.0, *[1.0] * 10), 0, LIMITS) == 60
    assert [round_budget((1.0,), fruitless, LIMITS) for fruitless in (1, 3, 6, 20)] == [120, 480, 3840, 3840]
    assert round_budget((), 0, replace(LIMITS, reports=False)) == math.inf


def test_the_first_loss_costs_no_pause_and_then_pauses_grow() -> None:
    assert [pause(fruitless) for fruitless in range(7)] == [0, 0, 5, 15, 45, 60, 60]


def test_runs_without_progress_are_given_up() -> None:
    assert give_up(9, 10) is None
    assert give_up(0, 0) is None
    assert give_up(10, 10).kind == GIVEN_UP


@pytest.mark.parametrize("reason", ["failed", "too_few_nodes", "quiesced"])
def test_what_an_app_says_of_its_end_is_kept_as_a_line_with_an_end(reason) -> None:
    evil = "a\x1b[2J\n<0>" + "A" * 1_000_000
    seen = [
        Sighting(word="failed", process="gone", **told(reason=reason, message=evil)),
        Sighting(word="failed", details=APP_RAISED + evil),
    ]
    for text in (judge(one, LIMITS).text for one in seen):
        assert (text[:13], len(text) <= 2000) == ("a\\x1b[2J <0>A", True)
