# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import systemd
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import (
    SystemdError,
    Unit,
    control,
    notify,
    read_units,
    show_units,
)

ACTIVE = (
    "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nMainPID=7\nNRestarts=2\n"
    "ActiveEnterTimestampMonotonic=2500000\nMemoryMax=1000\n"
)
MISSING = "Id=b.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\nMainPID=0\nMemoryMax=infinity\n"


@pytest.fixture
def systemctl(monkeypatch):
    """Let systemctl answer; return what it was asked."""
    asked = []

    def answer(stdout="", returncode=0, stderr="", error=None) -> list:
        def run(command, **dummy):
            asked.append(command)
            if error:
                raise error
            return SimpleNamespace(stdout=stdout, stderr=stderr, returncode=returncode)

        monkeypatch.setattr(systemd.subprocess, "run", run)
        return asked

    return answer


def test_units_are_looked_at_in_one_question(systemctl) -> None:
    asked = systemctl(f"{ACTIVE}User=flower\nControlGroup=/system.slice/a.service\n\n{MISSING}")
    a, b = show_units("a.service", "b.service")
    assert a == Unit(
        "a.service", "loaded", "active", "running", "success", 7, 2, "flower", "/system.slice/a.service", 2.5, 1000
    )
    assert (a.state, a.runs, b.state, b.runs) == ("active", True, "not found", False)
    assert (a.enabled, a.outdated) == (False, False)
    assert len(asked) == 1
    assert asked[0][-2:] == ["a.service", "b.service"]


def test_a_unit_is_known_by_the_name_that_was_asked_for_whatever_it_is_an_alias_of(systemctl) -> None:
    systemctl(ACTIVE + "UnitFileState=enabled\nNeedDaemonReload=yes\n")
    (unit,) = show_units("alias.service")
    assert (unit.name, unit.state, unit.enabled, unit.outdated) == ("alias.service", "active", True, True)


@pytest.mark.parametrize("names", [("a.service",), ("a.service", "b.service", "c.service")])
def test_an_answer_about_another_number_of_units_is_refused(systemctl, names) -> None:
    said = f"{ACTIVE}\n{MISSING}"
    with pytest.raises(SystemdError, match=f"told of 2 units but was asked for {len(names)}"):
        read_units(names, said)
    systemctl(said)
    assert show_units(*names) == [Unit(name) for name in names]


@pytest.mark.parametrize(
    ("active", "runs", "lives"),
    [
        ("active", True, True),
        ("activating", True, True),
        ("reloading", True, True),
        ("deactivating", False, True),
        ("inactive", False, False),
        ("failed", False, False),
        ("unknown", False, False),
    ],
)
def test_a_unit_that_is_ending_lives_but_does_not_run(active, runs, lives) -> None:
    unit = Unit("a.service", "loaded", active)
    assert (unit.runs, unit.lives) == (runs, lives)


def test_a_systemd_that_cannot_be_asked_leaves_the_state_unknown(systemctl) -> None:
    systemctl(error=FileNotFoundError(2, "No such file"))
    assert show_units("a.service") == [Unit("a.service")]
    systemctl(returncode=1, stderr="no bus")
    assert show_units("a.service")[0].state == "unknown"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"returncode": 5, "stderr": "No unit x.\n"}, "'systemctl --no-ask-password start x' failed: No unit x."),
        ({"error": FileNotFoundError(2, "No such file")}, "systemctl cannot be run: No such file."),
        ({"error": subprocess.TimeoutExpired("x", 90)}, "'systemctl --no-ask-password start x' took longer than 90 s."),
    ],
)  # fmt: skip
def test_a_refusal_is_told_in_systemds_words(systemctl, answer, text) -> None:
    systemctl(**answer)
    with pytest.raises(SystemdError) as caught:
        control("start", "x")
    assert str(caught.value) == text


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_is_told_how_we_are(tmp_path, monkeypatch, abstract) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        notify(STATUS="round 1 of 3", WATCHDOG=1)
        assert manager.recv(100) == b"STATUS=round 1 of 3\nWATCHDOG=1"


def test_what_somebody_else_says_is_no_fact_of_its_own(tmp_path, monkeypatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify(STATUS="failed: x\nMAINPID=1\x1b[2J" + "A" * 1_000_000)
        (line,) = manager.recv(100_000).decode().splitlines()
    assert line.startswith("STATUS=failed: x MAINPID=1\\x1b[2JAAA")
    assert len(line) <= len("STATUS=") + 500


def test_without_a_manager_or_when_it_is_gone_nothing_happens(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY=1)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify(READY=1)
