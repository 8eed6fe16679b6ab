# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting executions of modules, from what the callback has written down and from what the hosts have seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Modules:
    """Executions of modules in one run of a playbook, by the machine that they ran on."""

    superlink: int  # those of its own
    supernode: int  # those on the SuperNode with the most
    superlink_for_supernodes: int  # delegated to the SuperLink by SuperNodes
    controller: int  # delegated to the controller
    all: int


def modules_of(rows: Sequence[Mapping[str, Any]], superlink: str, supernodes: Sequence[str]) -> Modules:
    """Count what the callback has written down."""
    executed = [row for row in rows if "module" in row]
    own = [row["on"] for row in executed if row["on"] == row["host"]]
    return Modules(
        superlink=own.count(superlink),
        supernode=max(own.count(host) for host in supernodes),
        superlink_for_supernodes=sum(row["on"] == superlink and row["host"] in supernodes for row in executed),
        controller=sum(row["on"] == "localhost" for row in executed),
        all=len(executed),
    )


def invocations(journal: str) -> int:
    """Count the modules that a host's own journal, as JSON lines, tells of: each says what it was invoked with."""
    entries = [json.loads(line) for line in journal.splitlines()]
    return sum(
        str(entry.get("SYSLOG_IDENTIFIER", "")).startswith("ansible-")
        and str(entry.get("MESSAGE", "")).startswith("Invoked with")
        for entry in entries
    )
