# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
import time

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._training import follow
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.follow import (
    find_training,
    log_tail,
    training_names,
    wait,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.runs import Known

RUNNING = "4054059867765540810"  # in the recording "list"
ENDED = "4054059867765540810"  # in the recording "list_after"


def event(number, num_rounds=10, run_id=RUNNING):
    return {"event": "round_finished", "round": number, "num_rounds": num_rounds, "run_id": run_id}


@pytest.fixture
def waiting(home, monkeypatch):
    """Wait for a round of the run, with all times a tenth of a second."""
    for name in ("HISTORY_EVERY", "FIRST_QUESTION", "_ASK_EVERY", "_ASK_AT_THE_END"):
        monkeypatch.setattr(follow, name, 0.05)

    def run(wait_for_round: int, seconds: float = 5):
        folder = TrainingFolder(str(home.path), "default")
        started = time.monotonic()
        known = wait(Flwr(str(home.path)), folder, RUNNING, wait_for_round, seconds)
        return known.status, time.monotonic() - started < seconds

    return run


def test_a_round_that_is_there_needs_no_question(home, waiting) -> None:
    home.ledger((RUNNING, "h", 10))
    home.training(history=[event(1), event(2)])
    assert waiting(2) == ("running", True)
    assert home.calls == []


def test_a_round_that_comes_ends_the_wait(home, waiting, monkeypatch) -> None:
    monkeypatch.setattr(follow, "FIRST_QUESTION", 60)
    home.ledger((RUNNING, "h", 10))
    home.training(history=[event(1)])

    def train() -> None:
        with open(home.published() / "history.jsonl", "a") as stream:
            stream.write(json.dumps(event(2)) + "\n")

    timer = threading.Timer(0.3, train)
    timer.start()
    assert waiting(2) == ("running", True)
    timer.join()
    assert home.calls == []


def test_the_last_round_is_followed_by_a_question(home, waiting) -> None:
    home.ledger((RUNNING, "h", 3))
    home.training(history=[event(3, 3)])
    home.answers(list="list_after")
    assert waiting(3) == ("completed", True)
    assert home.commands == ["list local"]


def test_a_round_of_another_run_does_not_end_the_wait(home, waiting) -> None:
    home.ledger((RUNNING, "h", 10))
    home.training(history=[event(2, run_id="0")])
    home.answers(list="list")
    assert waiting(2, 0.5) == ("running", False)


def test_a_run_that_ends_ends_the_wait(home, waiting) -> None:
    home.ledger((ENDED, "h", 10))
    home.answers(list=["list", "list_unreachable", "list_after"])
    assert waiting(2) == ("completed", True)
    assert home.commands == ["list local"] * 3


def test_a_superlink_that_stays_away_makes_the_state_unreachable(home, waiting) -> None:
    home.ledger((RUNNING, "h", 10))
    home.answers(list="list_unreachable")
    assert waiting(2, 0.5) == ("unreachable", False)


def test_a_run_that_the_superlink_does_not_know_is_lost(home, waiting) -> None:
    home.ledger((RUNNING, "h", 10))
    home.answers(list="list_empty")
    assert waiting(2) == ("lost", True)


def test_trainings_are_found_by_folder_and_by_run(home) -> None:
    assert (training_names(str(home.path)), find_training(str(home.path), "1")) == ([], None)
    home.ledger(("1", "h", 3), name="b")
    home.ledger(("2", "h", 3), name="a")
    home.training("b", effective={"run_id": "2"})  # whatever a ServerApp claims
    (home.path / "trainings" / ".lock").touch()
    assert training_names(str(home.path)) == ["a", "b"]
    assert [find_training(str(home.path), run_id) for run_id in ("1", "2", "3")] == ["b", "a", None]


@pytest.mark.parametrize("status", ["pending", "starting", "absent"])
def test_a_log_that_would_be_waited_for_for_ever_is_not_asked_for(home, status) -> None:
    assert log_tail(Flwr(str(home.path)), Known("1", status), 10) == []
    assert home.calls == []


def test_a_log_that_cannot_be_had_does_not_hide_the_run(home) -> None:
    home.answers(log="log_unknown")
    assert log_tail(Flwr(str(home.path)), Known("1", "lost"), 10) == []
