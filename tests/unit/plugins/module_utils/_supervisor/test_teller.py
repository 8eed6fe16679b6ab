# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import GO_ON, WAIT
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import Journal
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.teller import Teller, result_text
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.verdicts import Verdict


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({}, ""),
        ({"rounds": 3, "loss": 0.25, "accuracy": 0.987654}, "3 rounds, loss 0.2500, accuracy 0.9877"),
        ({"rounds": 3, "loss": None, "checkpoint": "c.npz"}, "3 rounds, c.npz"),
    ],
)
def test_a_result_is_told_by_what_is_known_of_it(result: dict, text: str) -> None:
    assert result_text(result) == text


def test_a_wait_is_told_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    journal, remembered = io.StringIO(), []
    desk = SimpleNamespace(folder=SimpleNamespace(name="default"), remember=lambda memory: remembered.append(memory))
    teller = Teller(desk, Memory(), None, Journal("default", journal))
    for names in (["a", "b"], ["a", "b"], ["b"]):
        teller.state(Verdict(WAIT, "nodes", "Too few.", tuple(names)))
    for _look in range(2):
        teller.state(Verdict(GO_ON))
    events = [json.loads(line) for line in journal.getvalue().splitlines()]
    told = [(event["event"], event.get("waiting_for")) for event in events]
    assert told == [("waiting", ["a", "b"]), ("waiting", ["b"]), ("waiting_over", None)]
    assert len(remembered) == 3
