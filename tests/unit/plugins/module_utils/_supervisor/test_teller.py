# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import (
    AGAIN,
    ENDINGS,
    GO_ON,
    REASONS,
    WAIT,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import Journal
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.teller import Teller, result_text
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.verdicts import Verdict
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({}, ""),
        ({"rounds": 3, "loss": 0.25, "accuracy": 0.987654}, "3 rounds, loss 0.2500, accuracy 0.9877"),
        ({"rounds": 1}, "1 round"),
        ({"rounds": 3, "loss": None, "checkpoint": "c.npz"}, "3 rounds, c.npz"),
    ],
)
def test_a_result_is_told_by_what_is_known_of_it(result: dict, text: str) -> None:
    assert result_text(result) == text


def test_a_wait_is_told_when_it_begins_when_it_changes_and_when_it_is_over() -> None:
    journal, remembered = io.StringIO(), []
    desk = SimpleNamespace(folder=SimpleNamespace(name="default"), remember=remembered.append)
    teller = Teller(desk, Memory(), None, Journal("default", journal))
    for names in (["a", "b"], ["a", "b"], ["b"]):
        teller.state(Verdict(WAIT, "nodes", "Too few.", tuple(names)))
    for _look in range(2):
        teller.state(Verdict(GO_ON))
    events = [json.loads(line) for line in journal.getvalue().splitlines()]
    told = [(event["event"], event.get("waiting_for")) for event in events]
    assert told == [("waiting", ["a", "b"]), ("waiting", ["b"]), ("waiting_over", None)]
    assert len(remembered) == 3


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=lambda ending: ending.kind)
def test_an_end_is_told_as_its_row_says(tmp_path, monkeypatch, own_account, ending) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    written, flwr = io.StringIO(), SimpleNamespace(log=lambda _run_id, _lines: ["the end of the log"])
    desk, memory = Desk(TrainingFolder(str(tmp_path), "default")), Memory(run_id="1")
    desk.folder.make()
    reason = next(reason for reason in REASONS if reason.kind == ending.kind)
    Teller(desk, memory, flwr, Journal("default", written)).end(Verdict.of(reason, "So it is."))
    *_log, last = lines = written.getvalue().splitlines()
    assert last == f"<{3 if ending.is_bad else 5}>default: {ending.words}. So it is."
    events = [json.loads(line.removeprefix(f"<{ending.level}>")) for line in lines if line[3:4] == "{"]
    told = [(event["event"], event["reason"], event["run_id"]) for event in events]
    # A run that is lost has been told of by itself.
    assert told == ([] if ending.kind == AGAIN else [(ending.event, reason.word, "1")])
    assert memory.state == ("restarting" if ending.kind == AGAIN else ending.kind)
