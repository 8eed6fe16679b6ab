# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training.progress import (
    Follower,
    pace,
    pace_text,
    round_line,
    seconds_between,
    span_text,
)

ROUND = {
    "round": 3,
    "num_rounds": 10,
    "loss": 0.41234,
    "accuracy": 0.913,
    "replies": 3,
    "failures": 0,
    "seconds": 12.06,
    "checkpoint": "checkpoint_round_3.npz",
    "run_id": "1",
}


STOPPED = {"metric": "loss", "best": 0.25, "best_round": 2, "over": True, "ended": True}


def test_nothing_is_left_of_a_training_that_has_stopped_early() -> None:
    history = [{"round": 5, "num_rounds": 9, "seconds": 2.0, "early_stopping": STOPPED}]
    assert pace(history)["eta_seconds"] == 0


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ROUND, "default: round 3/10  loss 0.4123  accuracy 0.9130  3 replies  12.1 s  checkpoint_round_3.npz"),
        ({"round": 1}, "default: round 1/?"),
        (
            {**ROUND, "loss": None, "accuracy": None, "replies": 1, "failures": 2, "checkpoint": None},
            "default: round 3/10  1 reply  2 FAILED  12.1 s",
        ),
        (
            {"round": 4, "num_rounds": 4, "replies": 0, "failures": 3, "aggregated": False},
            "default: round 4/4  0 replies  3 FAILED  SKIPPED, the model is as before",
        ),
        (
            {"round": 5, "num_rounds": 9, "early_stopping": STOPPED},
            "default: round 5/9  stopped early at round 5, best was round 2 (loss 0.25)",
        ),
    ],
)
def test_a_round_is_one_line_of_what_is_known(event, line) -> None:
    assert round_line("default", event) == line


def look(status="running", rounds=(), **values):
    history = [{**ROUND, "round": number} for number in rounds]
    return {"name": "default", "run_id": "1", "status": status, "history": history, **values}


def test_each_round_is_told_once_and_rounds_of_earlier_runs_never() -> None:
    follower = Follower("default", "1")
    earlier = {**ROUND, "round": 1, "run_id": "0"}
    first = {**look(), "history": [earlier, {**ROUND, "round": 2}]}
    told = [follower.lines(first), follower.lines(first), follower.lines(look(rounds=(1, 2, 3, 4)))]
    assert [[line.split("  ")[0] for line in lines] for lines in told] == [
        ["default: round 2/10"],
        [],
        ["default: round 3/10", "default: round 4/10"],
    ]
    assert (follower.next_round, follower.where) == (5, " after round 4/10")


def test_a_checkpoint_that_was_not_saved_is_a_line_of_its_own() -> None:
    problem = "The checkpoint of round 3 cannot be saved in /mnt: No space left on device."
    event = {**ROUND, "checkpoint": None, "checkpoint_problem": problem}
    lines = Follower("default", "1").lines({**look(), "history": [event]})
    assert lines[1:] == [f"default: WARNING: {problem}"]


def test_a_resumption_is_told_once_and_only_that_of_this_run() -> None:
    follower = Follower("default", "1")
    checkpoint = {"round": 4, "file": "checkpoint_round_4.npz", "sha256": "s"}
    old, new = ({"run_id": run_id, "resumed_from": checkpoint} for run_id in ("0", "1"))
    told = [follower.lines(look(effective=effective)) for effective in (None, old, new, new)]
    assert told == [[], [], ["default: resumed from checkpoint_round_4.npz, continuing after round 4"], []]


def test_a_superlink_that_is_away_is_told_once_and_so_is_its_return() -> None:
    follower = Follower("default", "1")
    states = ("pending", "running", "unreachable", "unreachable", "running", "running")
    assert [follower.lines(look(status)) for status in states] == [
        ["default: still pending; flower-superexec has not taken it up yet"],
        [],
        ["default: the SuperLink does not answer; the run outlives its restart, so waiting goes on"],
        [],
        ["default: the SuperLink answers again"],
        [],
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_a_span_of_time_is_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def at(number, second, run_id="1", seconds=5.0):
    return {
        **ROUND,
        "round": number,
        "run_id": run_id,
        "seconds": seconds,
        "time": f"2026-11-25T10:00:{second:06.3f}+00:00",
    }


@pytest.mark.parametrize(
    ("history", "expected", "text"),
    [
        ([], (0, None, None, None), "no round is finished yet"),
        # one round: what it took itself
        ([at(1, 0)], (1, 10, 5.0, 45.0), "round 1 of 10 is finished, 5.0 s a round, about 45 s left"),
        # from one end to the next, which holds what lies between the rounds
        ([at(1, 0), at(2, 9)], (2, 10, 7.0, 56.0), "round 2 of 10 is finished, 7.0 s a round, about 56 s left"),
        # what lies between two runs is not the pace of the training
        ([at(1, 0), at(2, 50, "2")], (2, 10, 5.0, 40.0), "round 2 of 10 is finished, 5.0 s a round, about 40 s left"),
        ([{"round": 10, "num_rounds": 10}], (10, 10, None, None), "round 10 of 10 is finished"),
        ([at(10, 0)], (10, 10, 5.0, 0.0), "round 10 of 10 is finished, 5.0 s a round"),
    ],
)  # fmt: skip
def test_the_pace_of_a_training_is_that_of_its_last_rounds(history, expected, text) -> None:
    keys = ("round", "num_rounds", "seconds_per_round", "eta_seconds")
    assert tuple(pace(history)[key] for key in keys) == pytest.approx(expected)
    assert pace_text(history) == text


@pytest.mark.parametrize(
    ("earlier", "later"), [(None, "2026-11-25T10:00:00Z"), ("x", "y"), ("2026-11-25T10:00:00", "2026-11-25T10:00:00Z")]
)
def test_what_is_no_time_makes_no_span(earlier, later) -> None:
    assert seconds_between(earlier, later) is None
    assert seconds_between("2026-11-25T10:00:00Z", "2026-11-25T10:01:00+00:00") == 60
