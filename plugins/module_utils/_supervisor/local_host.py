# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes and units of the host that the supervisor runs on.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base import identity
from .._base.layout import SUPERLINK_UNIT
from .._base.systemd import Unit, show_units
from .._flower.processes import EXECUTOR, Process, ProcessTable, memory_counts, memory_kills


class Clock(t.Protocol):
    """C(time), or what a test takes for it."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class LocalHost:
    """The processes and units of this host."""

    def __init__(self) -> None:
        self.processes = ProcessTable()

    def executor(self) -> Unit:
        return show_units(EXECUTOR)[0]

    def superlink(self) -> Unit:
        return show_units(SUPERLINK_UNIT)[0]

    def would_show_serverapps(self, unit: Unit) -> bool:
        """Tell whether a ServerApp of this SuperExec would be among the processes that we see."""
        return unit.load == "loaded" and unit.user == identity.APPS_USER and self.processes.shows_others()

    def memory_counts(self, process: Process) -> str:
        return memory_counts(process.pid)

    def memory_kills(self, counts: str) -> int | None:
        return memory_kills(counts)
