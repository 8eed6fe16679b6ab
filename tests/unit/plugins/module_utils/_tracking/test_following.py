# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every round once, at a tracker that keeps what it is told and fails wherever it is told to."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._tracking.figures import (
    MOST_NAMES,
    Closing,
    TrackedRound,
    TrackedTraining,
    facts_of,
    tracked_round,
)
from ansible_collections.fedops.flower.plugins.module_utils._tracking.following import Following

from .._report import stories
from .host import TrackedHost


class Killed(BaseException):
    """The program ends here."""


@dataclass
class Kept:
    """What a tracker has of one training."""

    name: str
    settings: dict[str, str]
    rounds: list[int] = field(default_factory=list)
    figures: dict[int, dict[str, float]] = field(default_factory=dict)
    closings: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Ledger:
    """A tracker. ``step`` is called before and after each thing that it does, and may raise."""

    def __init__(self) -> None:
        self.kept: dict[str, Kept] = {}
        self.opened = 0
        self.step: Callable[[], None] = lambda: None

    def run(self, training: TrackedTraining) -> LedgerRun:
        self.step()
        self.opened += 1
        kept = self.kept.setdefault(training.key, Kept(training.label, dict(training.settings)))
        self.step()
        return LedgerRun(self, kept)


class LedgerRun:
    link = "there"

    def __init__(self, tracker: Ledger, kept: Kept) -> None:
        self._tracker, self._kept = tracker, kept
        self.last = max(kept.rounds, default=0)

    def tell(self, one: TrackedRound) -> None:
        self._tracker.step()
        self._kept.rounds.append(one.number)
        self._kept.figures[one.number] = dict(one.figures)
        self._tracker.step()
        self.last = one.number

    def close(self, closing: Closing) -> None:
        self._tracker.step()
        self._kept.closings.append((closing.state, dict(closing.facts)))
        self._tracker.step()

    def leave(self) -> None:
        return None


@pytest.fixture
def host(tmp_path, own_account) -> TrackedHost:
    found = TrackedHost(tmp_path)
    found.order("order", "1")
    return found


@pytest.fixture
def tracker() -> Ledger:
    return Ledger()


def follow(host: TrackedHost, tracker: Ledger, memory: Any = None, **options: Any) -> Following:
    following = Following(host.folder, tracker, memory, **options)
    following.step()
    return following


def only(tracker: Ledger) -> Kept:
    (kept,) = tracker.kept.values()
    return kept


def test_rounds_come_as_they_are_finished_and_then_the_end(host, tracker) -> None:
    following = follow(host, tracker)
    assert tracker.kept == {}
    host.rounds(1, 2)
    following.step()
    host.rounds(3)
    following.step()
    host.completed()
    following.step()
    following.step()
    kept = only(tracker)
    assert kept.rounds == [1, 2, 3]
    assert kept.settings["client-lr"] == "0.1"
    assert kept.closings == [
        ("completed", {"rounds": "9", "loss": "0.25", "accuracy": "0.9", "sha256": "c" * 64, "exact": "yes"})
    ]
    assert following.memory["told"] == following.memory["newest"] == 3


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(host, tracker) -> None:
    host.rounds(1, 2)
    path = host.published / "history.jsonl"
    whole = path.read_text()
    path.write_text(whole[:-20])
    following = follow(host, tracker)
    assert only(tracker).rounds == [1]
    with path.open("a") as stream:
        stream.write(whole[-20:])
    following.step()
    assert only(tracker).rounds == [1, 2]


def test_rounds_that_are_repeated_after_a_crash_count_once(host, tracker) -> None:
    host.rounds(1, 2, 3, 4)
    following = follow(host, tracker)
    host.order("order", "2")
    host.rounds(3, 4, 5)
    following.step()
    assert only(tracker).rounds == [1, 2, 3, 4, 5]


def test_a_training_that_had_nothing_saved_stays_one_run(host, tracker) -> None:
    host.rounds(1, 2, 3)
    following = follow(host, tracker)
    host.begin_anew("20261201T000000Z")
    host.order("order", "2")  # by its supervisor, for the same order
    host.rounds(1, 2)
    following.step()
    host.rounds(3, 4)
    following.step()
    assert only(tracker).rounds == [1, 2, 3, 4]


def test_a_resumed_training_goes_on_in_its_run(host, tracker) -> None:
    host.rounds(1, 2)
    host.state("failed")
    follow(host, tracker)
    host.order("another order", "2", **{"num-rounds": 60})
    host.rounds(3)
    host.completed()
    follow(host, tracker)
    kept = only(tracker)
    assert kept.rounds == [1, 2, 3]
    assert [state for state, dummy in kept.closings] == ["failed", "completed"]


def test_a_training_that_is_ordered_anew_is_another_run_and_the_old_one_gets_its_rest(host, tracker) -> None:
    host.rounds(1, 2)
    following = follow(host, tracker)
    host.rounds(3)  # while the tracker is away
    host.begin_anew("20261201T000000Z")
    host.order("another order", "2")
    host.rounds(1)
    following.step()
    former, new = tracker.kept.values()
    assert (former.rounds, new.rounds) == ([1, 2, 3], [1])
    assert [state for state, dummy in former.closings] == ["replaced"]
    assert former.name != new.name


def test_one_that_was_completed_before_it_was_replaced_ends_so(host, tracker) -> None:
    host.rounds(1)
    following = follow(host, tracker)
    host.completed()
    host.begin_anew("20261201T000000Z")
    host.order("another order", "2")
    host.rounds(1)
    following.step()
    assert [state for state, dummy in next(iter(tracker.kept.values())).closings] == ["completed"]


def test_a_history_that_begins_with_a_checkpoint_goes_on_in_the_run_that_is_known(host, tracker) -> None:
    host.rounds(1, 2)
    following = follow(host, tracker)
    (host.published / "history.jsonl").unlink()  # the host has lost it, and has its checkpoint from the mirror
    host.order("another order", "2")
    host.rounds(2, told_by="2")
    host.rounds(3)
    following.step()
    assert only(tracker).rounds == [1, 2, 3]


def test_rounds_of_other_runs_are_not_told_until_the_run_is_known(host, tracker) -> None:
    host.rounds(1)
    host.rounds(2, run_id="7")
    following = follow(host, tracker)
    assert only(tracker).rounds == [1]
    host.order("order", "7")
    following.step()
    assert only(tracker).rounds == [1, 2]


def test_what_the_tracker_has_lost_is_told_again(host, tracker) -> None:
    host.rounds(1, 2)
    host.completed()
    memory = follow(host, tracker).memory
    tracker.kept.clear()
    follow(host, tracker, memory)
    assert tracker.kept == {}  # it is closed: nobody asks
    host.order("order", "2")
    host.rounds(3)
    follow(host, tracker, memory)
    assert only(tracker).rounds == [1, 2, 3]


def test_a_closed_training_is_not_opened_again(host, tracker) -> None:
    host.rounds(1, 2)
    host.completed()
    memory = follow(host, tracker).memory
    follow(host, tracker, memory)
    assert tracker.opened == 1
    assert len(only(tracker).closings) == 1


def test_an_outage_touches_nothing_and_the_backlog_is_caught_up(host, tracker) -> None:
    host.rounds(1)
    following = follow(host, tracker)

    def away() -> None:
        raise OSError("connection refused")

    tracker.step = away
    for number in (2, 3):
        host.rounds(number)
        with pytest.raises(OSError, match="refused"):
            following.step()
    assert (following.memory["told"], following.memory["newest"]) == (1, 3)
    tracker.step = lambda: None
    following.step()
    assert only(tracker).rounds == [1, 2, 3]


@pytest.mark.parametrize("keeps", [True, False], ids=["with its memory", "without it"])
def test_every_round_is_told_once_wherever_the_program_is_killed(host, tracker, keeps) -> None:
    story: list[Callable[[], Any]] = [
        lambda: host.rounds(1, 2),
        lambda: host.rounds(3, 4),
        lambda: host.order("order", "2"),  # a run is lost
        lambda: host.rounds(3, 4, 5),
        lambda: host.state("failed"),
        lambda: host.order("order 2", "3"),
        lambda: host.rounds(6),
        host.completed,
    ]
    dice = random.Random(5)

    def killed() -> None:
        if dice.random() < 0.25:
            raise Killed

    tracker.step = killed
    memory: Any = None
    kills = 0
    for happens in story:
        happens()
        for dummy_try in range(40):
            following = Following(host.folder, tracker, json.loads(json.dumps(memory)) if keeps else None)
            try:
                following.step()
            except Killed:
                kills += 1
                memory = following.memory if kills % 2 else memory  # which was written a while before
                continue
            memory = following.memory
            break
        else:
            pytest.fail("it never comes to its end")
    kept = only(tracker)
    assert kept.rounds == [1, 2, 3, 4, 5, 6]
    assert kept.closings[-1][0] == "completed"
    assert kills > 15


def test_sites_are_told_as_they_may_be(host, tracker) -> None:
    host.rounds(1, sites=2)
    follow(host, tracker)
    assert not any(key.startswith("site/") for key in only(tracker).figures[1])
    tracker.kept.clear()
    follow(host, tracker, sites="pseudonyms")
    figures = only(tracker).figures[1]
    assert figures["site/site-000abcdefghi/examples"] == 400
    assert figures["site/site-001abcdefghi/evaluation/metrics/accuracy"] > 0


def test_figures_of_a_round_are_numbers_with_names_that_every_tracker_takes() -> None:
    line = {
        **stories.lines(1, 1)[0],
        "metrics": {"a(b)": 1, "c": float("nan"), "d": "text", "e": True, "f": {"g": 2}, "h/i": 3, "..": 4},
    }
    told = tracked_round(line, line["sites"], str)
    assert told.time == stories.BEGAN.timestamp() + 6
    assert told.figures["metrics/a_b_"] == 1
    assert told.figures["metrics/f/g"] == 2
    assert (told.figures["metrics/h.i"], told.figures["metrics/_"]) == (3, 4)
    assert {"metrics/c", "metrics/d", "metrics/e"} & told.figures.keys() == set()
    assert told.figures["phases/training"] == 2.4
    assert told.figures["site/site-000abcdefghi/direction"] == line["sites"][0]["direction"]
    assert all(isinstance(value, float) for value in told.figures.values())


@pytest.mark.parametrize("sites", [None, 5, "x", [5], [{"site": 5}], [{"site": "a", "evaluation": 5, "loss": "x"}]])
def test_odd_sites_are_left_out(sites) -> None:
    line = {"round": 1, "time": "never", "phases": [], "metrics": 5, "loss": 1 << 2000}
    assert tracked_round(line, sites, str) == TrackedRound(1, 0.0, {})


def test_what_of_privacy_is_spent_is_a_figure_and_a_fact() -> None:
    privacy = {"kind": "local", "epsilon": 2.5, "epsilon_budget": 0.0, "delta": 1e-5, "seed": 0}
    line = {**stories.lines(1, 1)[0], "privacy": privacy}
    assert tracked_round(line, None, None).figures["epsilon"] == 2.5
    assert facts_of({"rounds": 1}, line)["privacy"] == "epsilon 2.5 is spent (local, delta 1e-05)"
    assert "epsilon" not in tracked_round({**line, "privacy": {**privacy, "epsilon": None}}, None, None).figures


def test_names_that_a_site_makes_up_are_bounded_whatever_restarts(host, tracker) -> None:
    history = host.published / "history.jsonl"
    for number in range(1, 13):
        host.rounds(number, metrics={f"of-all-{number}-{place}": 1.0 for place in range(90)})
        *before, last = history.read_text().splitlines()
        told = json.loads(last)
        told["sites"][0]["evaluation"] = {f"made-up-{number}-{place}": 1.0 for place in range(90)}
        history.write_text("\n".join([*before, json.dumps(told), ""]))
        follow(host, tracker, sites="pseudonyms")  # by a program that has just begun
    kept = only(tracker)
    names = {name for figures in kept.figures.values() for name in figures}
    assert kept.rounds == [*range(1, 13)]
    evil, good = (f"site/site-00{place}abcdefghi/" for place in range(2))
    assert len({name for name in names if name.startswith(evil)}) == MOST_NAMES
    assert len({name for name in names if name.startswith(("metrics/", "phases/", "steering/"))}) <= MOST_NAMES
    assert all(f"{good}loss" in figures and figures["loss"] for figures in kept.figures.values())
