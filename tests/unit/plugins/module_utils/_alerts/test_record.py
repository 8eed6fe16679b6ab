# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each condition is told once when it stands, and once when it is over, whatever happens in between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._alerts.judgement import (
    SeenSite,
    SeenTraining,
    Sight,
    Thresholds,
    standing,
)
from ansible_collections.fedops.flower.plugins.module_utils._alerts.record import (
    ALERT_RECORD,
    KEPT_EVENTS,
    NEWS,
    AlertRecord,
    read_alerts,
    write_alerts,
)
from ansible_collections.fedops.flower.plugins.module_utils._base.pseudonyms import SiteNames

from ....alert_events import FAILED_EVENT

NOW = 1_800_000_000.0
LIMITS = Thresholds()
FAILED = SeenTraining("default", "failed", "1", reason="app", detail="The data went away.", run_id="7", since=NOW)
WAITING = SeenTraining("default", "waiting", "1", reason="nodes", detail="SuperNodes online: 1 of 2 needed.")
NAMES = SiteNames([{"name": "hospital-a", "pseudonym": "site-k3vq6dxt2m4a", "node_id": "1"}])


class Look:
    """Looks, one after the other, at a host whose record is written down after each."""

    def __init__(self, folder: Path, names: SiteNames | None = None) -> None:
        self.folder, self.names, self.at, self.told = folder, names, NOW, 0

    def __call__(self, *trainings: SeenTraining, after: float = 30, **seen: Any) -> list[dict[str, Any]]:
        """Return the events that a look leads to."""
        self.at += after
        record = read_alerts(str(self.folder))
        sight = Sight(self.at, trainings, **seen)
        record.learn(standing(sight, LIMITS, set(record.standing)), sight, self.names, "aggregator")
        write_alerts(str(self.folder), record)
        new = [entry["event"] for entry in record.outbox if entry["number"] > self.told]
        self.told = record.number
        return new


@pytest.fixture
def look(tmp_path) -> Look:
    return Look(tmp_path)


def said(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["alert"], event["state"]) for event in events]


def test_a_failure_is_told_once_and_once_more_when_it_is_trained_again(look) -> None:
    look()
    (event,) = look(FAILED)
    assert event == {**FAILED_EVENT, "id": event["id"]}
    assert [look(FAILED) for _look in range(3)] == [[], [], []]
    (event,) = look(replace(FAILED, state="running", order="2"))
    assert (event["state"], event["message"], event["action"]) == (
        "over",
        "The training default is running.",
        "Nothing.",
    )
    assert event["since"] == "2027-01-15T08:00:00+00:00"
    assert look(replace(FAILED, state="running", order="2")) == []


def test_a_failure_of_the_next_order_is_told_although_nobody_has_looked_between_the_two(look) -> None:
    look()
    assert said(look(FAILED)) == [("training_failed", "standing")]
    assert said(look(replace(FAILED, order="2"))) == [("training_failed", "standing"), ("training_failed", "over")]


def test_what_has_failed_before_anybody_asked_to_be_told_is_no_news(look) -> None:
    assert look(FAILED) == []
    assert look(replace(FAILED, state="running")) == []
    assert said(look(FAILED)) == [("training_failed", "standing")]


def test_a_wait_is_told_when_it_is_too_long_and_a_short_one_never(look) -> None:
    assert look(WAITING) == []
    assert look(replace(WAITING, state="running"), after=599) == []
    assert look(WAITING) == []
    assert look(WAITING, after=599) == []
    (event,) = look(replace(WAITING, waiting_for=("b",), detail="SuperNodes online: 0 of 2 needed."), after=1)
    assert (event["reason"], event["waiting_for"], event["since"]) == ("nodes", ["b"], "2027-01-15T08:10:59+00:00")
    assert look(replace(WAITING, reason="superlink"), after=6000) == []
    (event,) = look(replace(WAITING, state="given_up"), after=60)[1:]
    assert event["message"] == "The training default waits no longer: it is given up."


def test_a_site_is_told_when_it_is_away_for_long_and_when_it_is_back(look) -> None:
    training = replace(FAILED, state="running")
    away = {"sites": (SeenSite("hospital-a", "offline"),)}
    look(training)
    assert look(training, **away) == []
    assert look(training, after=299, **away) == []
    assert said(look(training, after=1, **away)) == [("site_offline", "standing")]
    (event,) = look(training, sites=(SeenSite("hospital-a", "online"),))
    assert (event["site"], event["message"]) == (
        "hospital-a",
        "The SuperNode hospital-a is no longer missed: it is online.",
    )


def test_a_superlink_that_does_not_answer_says_nothing_about_sites(look) -> None:
    training = replace(FAILED, state="running")
    away = {"sites": (SeenSite("a", "offline", NOW - 1000),)}
    assert said(look(training, **away)) == [("site_offline", "standing")]
    assert look(training, sites=None) == []
    assert look(training, **away) == []
    assert said(look(replace(training, state="completed"), sites=())) == [("site_offline", "over")]


def test_a_site_has_its_pseudonym_where_that_is_asked(tmp_path) -> None:
    look = Look(tmp_path, NAMES)
    text = "Start hospital-a."
    (event,) = look(replace(WAITING, waiting_for=("hospital-a",), detail=text), after=0) or look(
        replace(WAITING, waiting_for=("hospital-a",), detail=text), after=700
    )
    assert event["waiting_for"] == ["site-k3vq6dxt2m4a"]
    assert event["message"] == "The training default waits. Start site-k3vq6dxt2m4a."


def test_what_an_app_says_can_neither_break_an_event_nor_make_it_endless(look) -> None:
    look()
    (event,) = look(replace(FAILED, detail="\x1b[2J\n" + "x" * 1_000_000))
    assert "\x1b" not in event["message"]
    assert len(json.dumps(event)) < 5000


def test_only_so_many_events_are_kept_and_their_numbers_go_on(tmp_path) -> None:
    record = AlertRecord()
    for number in range(KEPT_EVENTS + 50):
        record.test(NOW + number, "aggregator")
    write_alerts(str(tmp_path), record)
    again = read_alerts(str(tmp_path))
    assert (len(again.outbox), again.outbox[-1]["number"], again.number) == (KEPT_EVENTS, 250, 250)


def test_news_are_told_to_who_waits_for_them_and_only_then(look, tmp_path) -> None:
    look()
    assert not (tmp_path / NEWS).exists()
    look(FAILED)
    first = (tmp_path / NEWS).stat()
    look(FAILED)
    assert (tmp_path / NEWS).stat().st_ino == first.st_ino
    look(replace(FAILED, order="2"))
    assert (tmp_path / NEWS).stat().st_ino != first.st_ino


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        '{"standing": [], "outbox": {}, "number": "x", "looked": null, "seen": 1}',
        '{"standing": {"a": {"since": 1, "about": {"kind": "new"}}}, "outbox": [1, {"number": 1}], "looked": 1}',
    ],
)
def test_a_record_that_is_damaged_stops_nothing(look, tmp_path, content) -> None:
    (tmp_path / ALERT_RECORD).write_text(content)
    look(replace(FAILED, state="running"))
    assert said(look(FAILED)) == [("training_failed", "standing")]
