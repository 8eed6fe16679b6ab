# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No test host has a controller of memory, so the words of systemd and its journal are given here."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import systemd
from ansible_collections.fedops.flower.plugins.module_utils._base.memory import (
    MESSAGE,
    SUPERLINK_SERVICES,
    bound_problems,
    memory_problems,
)
from ansible_collections.fedops.flower.plugins.module_utils._supernode import place

LINK, EXECUTOR, GATEWAY = (f"flower-{name}.service" for name in ("superlink", "superexec", "gateway"))


def entry(unit: object, seconds: int) -> str:
    return json.dumps({"UNIT": unit, "__REALTIME_TIMESTAMP": f"{seconds}000000", "MESSAGE_ID": MESSAGE})


@pytest.fixture
def host(monkeypatch):
    """Let systemctl and journalctl answer; give what was asked of the journal."""
    asked = []

    def answer(entries=(), journal_fails=False, **units) -> list:
        def run(command, **dummy):
            if command[0] == "journalctl":
                asked.append(command)
                return SimpleNamespace(stdout="\n".join(entries), stderr="no journal", returncode=int(journal_fails))
            shown = [
                f"Id={name}\nLoadState=loaded\n" + "\n".join(f"{key}={value}" for key, value in of.items())
                for name, of in ((f"flower-{name}.service", of) for name, of in units.items())
            ]
            return SimpleNamespace(stdout="\n\n".join(shown), stderr="", returncode=0)

        monkeypatch.setattr(systemd.subprocess, "run", run)
        return asked

    return answer


RUNS = {"ActiveState": "active", "Result": "success"}


def test_a_service_that_runs_again_is_told_from_the_journal(host) -> None:
    entries = [entry(LINK, 1_790_000_000), entry(LINK, 1_790_000_100), entry(EXECUTOR, 1_790_000_050)]
    asked = host(
        entries,
        superlink={**RUNS, "MemoryMax": 2_500_000_000},
        superexec={**RUNS, "MemoryMax": "infinity"},
        gateway=RUNS,
    )
    assert memory_problems(SUPERLINK_SERVICES) == [
        "The SuperLink (flower-superlink.service) was killed for want of memory 2 times in the last 24 hours, last at"
        " 2026-09-21T14:15:00+00:00. It runs again. Its bound is 2.5 GB."
        " Raise superlink_memory_max if the host has more.",
        "The SuperExec with its ServerApps (flower-superexec.service) was killed for want of memory once in the last 24"
        " hours, last at 2026-09-21T14:14:10+00:00. It runs again. It has no bound of its own."
        " Give the host more memory.",
    ]
    assert asked[0][4:] == [
        "--since=-24h", "--lines=1000", f"MESSAGE_ID={MESSAGE}", f"UNIT={LINK}", f"UNIT={EXECUTOR}", f"UNIT={GATEWAY}",
    ]  # fmt: skip


def test_of_supernodes_their_own_services_are_told(host, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(place, "places_found", lambda home: [place.Place(home, "a")])
    apps = "flower-clientapps@a.service"
    asked = host(
        [entry(apps, 1_790_000_000), entry(LINK, 1_790_000_000)], **{"supernode@a": RUNS, "clientapps@a": RUNS}
    )
    assert memory_problems(place.bounded_services()) == [
        "The runner of its ClientApps (flower-clientapps@a.service) was killed for want of memory once in the last 24"
        " hours, last at 2026-09-21T14:13:20+00:00. It runs again. It has no bound of its own. Give the host"
        " more memory."
    ]
    assert asked[0][-2:] == ["UNIT=flower-supernode@a.service", f"UNIT={apps}"]


def test_a_host_without_services_is_asked_nothing(host) -> None:
    asked = host()
    assert (memory_problems({}), asked) == ([], [])


def test_a_service_that_is_down_is_told_without_a_journal(host) -> None:
    host(
        (),
        True,
        superlink=RUNS,
        superexec={},
        gateway={"ActiveState": "failed", "Result": "oom-kill", "MemoryMax": 1_073_741_824},
    )
    assert memory_problems(SUPERLINK_SERVICES) == [
        "The gateway (flower-gateway.service) was killed for want of memory. It does not run. Its bound is 1.1 GB."
        " Give the host more memory."
    ]


@pytest.mark.parametrize(
    "line", ["", "{", "7", "[]", entry(7, 1), entry("evil.service", 1), '{"UNIT": "x"}', "[" * 10_000]
)
def test_what_the_journal_has_besides_is_nothing(host, line) -> None:
    host([line], superlink=RUNS, superexec=RUNS, gateway=RUNS)
    assert memory_problems(SUPERLINK_SERVICES) == []


def test_a_host_that_cannot_be_asked_has_no_problems(monkeypatch) -> None:
    def run(*dummy, **dummies):
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(systemd.subprocess, "run", run)
    assert memory_problems(SUPERLINK_SERVICES) == []


@pytest.mark.parametrize("bound", ["infinity", "4G", "1048576", 4096, "80%", "100%", "1%"])
def test_a_bound_that_systemd_takes_is_accepted(bound) -> None:
    assert bound_problems("supernode_memory_max", bound) == []


@pytest.mark.parametrize("bound", ["", "0", "4 GB", "4g", "101%", "0%", "4G\n", "-1", None])
def test_a_bound_that_systemd_would_ignore_is_named(bound) -> None:
    (problem,) = bound_problems("supernode_memory_max", bound)
    assert problem.startswith(f"supernode_memory_max is {bound} but must be a number of bytes, ")
