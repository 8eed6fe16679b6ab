# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supernode import place, sessions
from ansible_collections.fedops.flower.plugins.module_utils._supernode.sessions import (
    MESSAGES,
    PATIENCE,
    SESSIONS_FILE,
    Agreement,
    Session,
)


def trained(found: Agreement, run: int, name: str, rounds: int, first: int = 1, last: int = 0, now: float = 0) -> bool:
    """Have a run ask for rounds; tell whether the site has agreed to all that it was asked."""
    agreed = True
    for number in range(first, (last or rounds) + 1):
        for _message in ("train", "evaluate"):
            agreed = found.take(run, name, rounds, now) and agreed
            found.reach(run, number)
    return agreed


def test_a_training_and_the_runs_that_go_on_with_it_count_once() -> None:
    found = Agreement(1)
    assert trained(found, 1, "digits", 10, last=7)
    assert trained(found, 2, "digits", 10, first=6, last=8)
    assert trained(found, 3, "digits", 10, first=9)
    assert len(found.taken) == 1
    assert not found.take(4, "other", 10, 0)


@pytest.mark.parametrize(
    ("name", "rounds", "why"),
    [
        ("other", 3, "another training"),
        ("digits", 4, "more rounds than the first run has said"),
        ("", 3, "no name"),
        ("digits", 0, "no number of rounds"),
        ("Digits\x1b[2J", 3, "no name of a training"),
    ],
)
def test_a_run_that_may_be_of_another_training_counts(name: str, rounds: int, why: str) -> None:
    found = Agreement(2)
    assert trained(found, 1, "digits", 3, last=1)
    assert found.take(2, name, rounds, 0), why
    assert len(found.taken) == 2
    assert not found.take(3, name, rounds, 0) or (name, rounds) in (("other", 3), ("digits", 4))
    assert trained(found, 1, "digits", 3, first=2)  # the first is not dropped for it


def test_a_training_of_the_same_name_after_its_last_round_is_another_one() -> None:
    found = Agreement(1)
    assert trained(found, 1, "digits", 3)
    assert found.take(1, "digits", 3, 0)  # its last evaluation
    assert not found.take(2, "digits", 3, 0)


def test_no_name_is_worth_more_messages_than_its_rounds_take_twice() -> None:
    """A SuperLink that calls every run alike, or never ends one, gets no more than that."""
    found = Agreement(2)
    asked = 0
    while found.take(asked // 5, "digits", 3, 0):
        asked += 1
    assert asked == 2 * MESSAGES * 3
    assert len(found.taken) == 2


def settle(found: Agreement, running: bool | None, now: float = 0) -> bool:
    return found.settle(lambda run: running, now)


def test_it_is_over_when_the_last_training_has_ended_and_not_before() -> None:
    found = Agreement(2)
    assert not found.is_over
    trained(found, 1, "a", 2)
    assert settle(found, False)
    assert not found.is_over
    trained(found, 2, "b", 2)
    for running in (True, None):
        assert not settle(found, running)
        assert not found.is_over
    assert settle(found, False)
    assert found.is_over
    assert not settle(found, False)
    assert "agreed to 2 trainings (supernode_leave_after_sessions), and has taken part in a, b." in found.farewell


def test_a_training_that_was_interrupted_has_a_day() -> None:
    found = Agreement(1)
    trained(found, 1, "a", 9, last=5, now=1000)
    assert not settle(found, False, 1000 + PATIENCE)
    assert found.take(2, "a", 9, 1000 + PATIENCE)
    assert not settle(found, False, 1001 + PATIENCE)
    assert settle(found, False, 1001 + 2 * PATIENCE)
    assert found.is_over


def test_a_run_that_says_nothing_of_itself_is_over_with_itself() -> None:
    found = Agreement(1)
    assert found.take(1, "", 0, 0)
    assert found.take(1, "", 0, 0)
    assert settle(found, False)
    assert found.is_over
    assert found.farewell.count("run 1") == 1


def test_a_run_that_runs_for_days_without_asking_is_noted_now_and_then() -> None:
    found = Agreement(1)
    trained(found, 1, "a", 9, last=1)
    assert [settle(found, True, hours * 3600) for hours in (0.5, 1.5, 2, 30)] == [False, True, False, True]
    assert not settle(found, False, 31 * 3600)


def test_it_is_read_as_it_was_written_and_a_write_that_is_cut_off_changes_nothing(tmp_path, monkeypatch) -> None:
    found = Agreement(3)
    trained(found, 1 << 63, "a", 2, now=1.5)
    found.take(7, "", 0, 2.5)
    found.write(str(tmp_path / SESSIONS_FILE))
    assert Agreement.from_text((tmp_path / SESSIONS_FILE).read_text()) == found

    def lose_power(*names: str) -> None:
        raise OSError("no power")

    monkeypatch.setattr(sessions.os, "replace", lose_power)
    before = (tmp_path / SESSIONS_FILE).read_text()
    found.take(8, "b", 2, 3)
    with pytest.raises(OSError, match="no power"):
        found.write(str(tmp_path / SESSIONS_FILE))
    assert (tmp_path / SESSIONS_FILE).read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"agreed": 1}',
        '{"agreed": "1", "taken": []}',
        '{"agreed": 1, "taken": [7]}',
        '{"agreed": 1, "taken": [{"training": "a"}]}',
        '{"agreed": 1, "taken": [{"training": "a", "rounds": "3", "run": 1}]}',
        '{"agreed": 1, "taken": [{"training": "\\u001b[2J", "rounds": 3, "run": 1}]}',
        '{"agreed": 1, "taken": [{"training": "a", "rounds": 3, "run": 1, "more": 1}]}',
        "[" * 100000,
    ],
)
def test_what_cannot_have_been_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Agreement.from_text(text)


@pytest.fixture
def host(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(place, "SUPERNODE_STATE", str(tmp_path))
    monkeypatch.setattr(sessions, "places_found", lambda home: [place.Place(home, name) for name in ("a", "b", "c")])
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_who_has_left_is_told_of_a_host(host, monkeypatch) -> None:
    over = Agreement(1, [Session("digits", 3, 1, ended=True)])
    over.write(str(host / "a" / SESSIONS_FILE))
    Agreement(2, over.taken).write(str(host / "b" / SESSIONS_FILE))
    over.write(str(host / "c" / SESSIONS_FILE))
    unit = sessions.show_units.__globals__["Unit"]
    running = "flower-supernode@c.service"  # with a larger number by now
    monkeypatch.setattr(
        sessions,
        "show_units",
        lambda *names: [
            unit(name, load="loaded", active="active" if name == running else "inactive", sub="running")
            for name in names
        ],
    )
    assert sessions.farewells() == [over.farewell]


def test_a_record_that_nobody_can_read_says_nothing(host) -> None:
    (host / "a" / SESSIONS_FILE).write_text("{")
    (host / "b" / SESSIONS_FILE).symlink_to("/etc/passwd")
    assert sessions.read_sessions(place.Place("", "a")) is None
    assert sessions.read_sessions(place.Place("", "b")) is None
    (host / "c" / SESSIONS_FILE).write_text(json.dumps(asdict(Agreement(1))))
    assert sessions.read_sessions(place.Place("", "c")) == Agreement(1)
    assert sessions.read_sessions(place.Place("", "c"), (4711,)) is None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"training-name": "a", "num-server-rounds": 3}, ("a", 3)),
        ({"fedops.training-name": "a", "fedops.num-server-rounds": 3, "num-server-rounds": 4}, ("a", 4)),
        ({"fedops.training-name": "a", "fedops.num-server-rounds": 0}, ("a", 0)),
        ({"training-name": 7, "num-server-rounds": "3"}, ("", 0)),
        ({"num-server-rounds": True}, ("", 0)),
        ({}, ("", 0)),
    ],
)
def test_a_run_says_its_training_to_our_app_or_to_the_kit(config: dict, said: tuple[str, int]) -> None:
    assert sessions.said_by(config) == said
