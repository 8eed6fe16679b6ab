# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links to the runs that trackers have of a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._tracking import installation
from ansible_collections.fedops.flower.plugins.module_utils._tracking.links import good_links, links_of
from ansible_collections.fedops.flower.plugins.module_utils._tracking.tale import Tale

from .host import TrackedHost

LINK = "https://mlflow.example.org:5000/under/#/experiments/1/runs/0123456789abcdef"
OTHER = "https://wandb.ai/hospitals/digits/runs/default-0123?view=a&b=%20c"


class Trackers:
    """A host on which trackers follow a training."""

    def __init__(self, path: Path, states: Path) -> None:
        self.host, self.states = TrackedHost(path), states
        self.host.order("order", "1")
        self.host.rounds(1, 2)
        (path / "trackers").mkdir()

    @property
    def key(self) -> str:
        tale = Tale(self.host.folder)
        next(tale.rounds())
        return tale.key

    def follow(self, tracker: str, link: Any, **row: Any) -> None:
        settings = {"trainings": {"default": {}}}
        (self.host.path / "trackers" / f"{tracker}.json").write_text(json.dumps(settings))
        (self.states / tracker).mkdir(parents=True)
        told = {"trainings": {"default": {"key": self.key, "link": link, **row}}}
        (self.states / tracker / "state.json").write_text(json.dumps(told))

    def links(self) -> list[str]:
        return links_of(str(self.host.path), self.host.folder)


@pytest.fixture
def trackers(tmp_path, monkeypatch, own_account) -> Trackers:
    monkeypatch.setattr(installation, "TRACKED", str(tmp_path / "states"))
    return Trackers(tmp_path / "home", tmp_path / "states")


def test_each_tracker_with_a_server_has_a_link(trackers) -> None:
    assert trackers.links() == []
    trackers.follow("csv", "/var/lib/flower-trackers/csv/runs/default-1.csv")
    trackers.follow("wandb", OTHER)
    trackers.follow("mlflow", LINK)
    assert trackers.links() == [LINK, OTHER]


def test_a_link_of_another_training_of_the_name_is_none(trackers) -> None:
    trackers.follow("mlflow", LINK, key="of another")
    assert trackers.links() == []


def test_a_tracker_that_does_not_follow_it_any_more_has_none(trackers) -> None:
    trackers.follow("mlflow", LINK)
    (trackers.host.path / "trackers" / "mlflow.json").write_text(json.dumps({"trainings": {"other": {}}}))
    assert trackers.links() == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"trainings": []}', '{"trainings": {"default": 7}}'])
def test_notes_that_are_none_give_no_link(trackers, text) -> None:
    trackers.follow("mlflow", LINK)
    (trackers.states / "mlflow" / "state.json").write_text(text)
    assert trackers.links() == []


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "https://user:password@example.org/",
        "http://127.0.0.1:5000/#/experiments/1",
        "http://localhost:5000/",
        "https://example.org/ [x](https://evil.example.org)",
        "https://example.org/>|\n# owned",
        "https://example.org/a\u202egpj.exe",
        "https://example.org/" + "a" * 500,
        "file:///var/lib/flower-trackers/mlflow",
        7,
        None,
    ],
)
def test_what_is_no_address_of_a_server_is_no_link(link) -> None:
    assert good_links([link, LINK]) == [LINK]
    assert good_links(link) == []
