# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An event is given to the program until it takes it, a bounded number of times, and in order where that matters."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._alerts.delivery import (
    MOST_CALLS,
    TOO_OLD,
    Delivery,
    call,
    pause_before_next,
)

NOW = 1_800_000_000.0
# Writes down what it is told, and ends as the file beside it says for that event.
PROGRAM = """
import json, pathlib, sys
folder, event = pathlib.Path(sys.argv[1]), json.load(sys.stdin)
with open(folder / "told", "a") as told:
    told.write(event["id"] + "\\n")
ends = folder / event["id"]
sys.exit(int(ends.read_text()) if ends.exists() else 0)
"""


def entry(number: int, key: str = "", at: float = NOW) -> dict[str, Any]:
    return {"number": number, "key": key or str(number), "at": at, "event": {"id": f"x-{number}", "message": "M."}}


class Host:
    """A program and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now, self.said = folder, NOW, []
        (folder / "state").mkdir()
        (folder / "program.py").write_text(PROGRAM)

    def pass_once(self, *outbox: dict[str, Any], attempts: int = 3) -> Delivery:
        command = [sys.executable, str(self.folder / "program.py"), str(self.folder)]
        delivery = Delivery(command, 30, attempts, str(self.folder / "state"), self.said.append, lambda: self.now)
        delivery.deliver(outbox)
        return delivery

    @property
    def told(self) -> list[str]:
        path = self.folder / "told"
        return path.read_text().split() if path.exists() else []

    def refuse(self, number: int, status: int = 1) -> None:
        (self.folder / f"x-{number}").write_text(str(status))

    def accept(self, number: int) -> None:
        (self.folder / f"x-{number}").unlink()


@pytest.fixture
def host(tmp_path) -> Host:
    return Host(tmp_path)


def test_an_event_is_told_once(host) -> None:
    for _dummy in range(3):
        assert host.pass_once(entry(1), entry(2)).lost == 0
    assert host.told == ["x-1", "x-2"]


def test_a_program_that_fails_is_called_again_after_a_pause_and_what_is_about_something_else_does_not_wait(
    host,
) -> None:
    host.refuse(1)
    host.pass_once(entry(1), entry(2))
    assert host.told == ["x-1", "x-2"]
    host.now += 14
    host.pass_once(entry(1), entry(2))
    assert host.told == ["x-1", "x-2"]
    host.accept(1)
    host.now += 1
    host.pass_once(entry(1), entry(2))
    assert host.told == ["x-1", "x-2", "x-1"]
    assert host.said[0] == "x-1 is tried again in 15 s or later, as the program ended with status 1."


def test_nobody_is_told_that_something_is_over_before_they_know_that_it_was(host) -> None:
    host.refuse(1)
    host.pass_once(entry(1, "k"), entry(2, "k"))
    assert host.told == ["x-1"]
    host.accept(1)
    host.now += 60
    host.pass_once(entry(1, "k"), entry(2, "k"))
    assert host.told == ["x-1", "x-1", "x-2"]


def test_an_event_is_given_up_after_so_many_attempts_and_that_is_said(host) -> None:
    host.refuse(1, 7)
    lost = []
    for _dummy in range(5):
        lost.append(host.pass_once(entry(1)).lost)
        host.now += 10_000
    assert host.told == ["x-1"] * 3
    assert lost == [0, 0, 1, 0, 0]
    assert host.said[-1] == "x-1 is given up after 3 attempts, as the program ended with status 7: M."


def test_pauses_grow_to_half_an_hour() -> None:
    assert [pause_before_next(count) for count in (1, 2, 3, 4, 5, 6, 1000)] == [15, 60, 240, 960, 1800, 1800, 1800]


def test_an_attempt_counts_although_nobody_has_lived_to_see_its_end(host, monkeypatch) -> None:
    def killed(*_anything: object) -> str:
        raise KeyboardInterrupt

    for _dummy in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules[Delivery.__module__], "call", killed)
            with pytest.raises(KeyboardInterrupt):
                host.pass_once(entry(1))
        host.now += 10_000
    assert host.told == []
    host.refuse(1)
    assert host.pass_once(entry(1)).lost == 1


def test_what_was_told_before_the_memory_was_lost_is_not_told_after_a_day(host) -> None:
    host.now += TOO_OLD + 1
    host.pass_once(entry(1), entry(2, at=NOW + 2))
    assert host.told == ["x-2"]


def test_one_pass_calls_only_so_often(host, monkeypatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(
        sys.modules[Delivery.__module__], "call", lambda _command, event, _timeout: calls.append(event["id"]) or ""
    )
    outbox = [entry(number) for number in range(1, MOST_CALLS + 6)]
    host.pass_once(*outbox)
    assert len(calls) == MOST_CALLS
    host.pass_once(*outbox)
    assert calls == [one["event"]["id"] for one in outbox]


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_has_started(tmp_path) -> None:
    script = tmp_path / "slow.sh"
    script.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/child\nwait\n")
    script.chmod(0o755)
    began = time.monotonic()
    assert call([str(script)], {}, 0.5) == "took longer than 0.5 s"
    assert time.monotonic() - began < 20
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    for _dummy in range(100):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("its child lives on")


def test_the_program_gets_the_event_as_one_line_of_json(tmp_path) -> None:
    event = {"message": "Größe: 1 %", "site": None}
    assert call(["/bin/sh", "-c", f"cat > {tmp_path}/got"], event, 30) == ""
    text = (tmp_path / "got").read_text("utf-8")
    assert (json.loads(text), text.count("\n")) == (event, 1)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["/nowhere/alert"], "cannot be started (No such file or directory)"),
        (["/bin/sh", "-c", "kill -9 $$"], "was ended by signal 9"),
        (["/bin/sh", "-c", "exit 3"], "ended with status 3"),
        (["/bin/true"], ""),  # it reads nothing
    ],
)
def test_what_went_wrong_is_said(command, problem) -> None:
    assert call(command, {"message": "x" * 100_000}, 30) == problem
