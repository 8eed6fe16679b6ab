# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of Flower runs on this host, and from which release: told by what the processes have loaded, not by files.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import time
import typing as t
from contextlib import suppress

from .._base.layout import CLIENTAPPS_UNIT, SUPEREXEC_UNIT, SUPERLINK_UNIT, SUPERNODE_UNIT
from .._base.systemd import Unit, control, show_units
from .releases import DIRECTORY

# In the order in which they are started.
FLOWER_SERVICES = (
    SUPERLINK_UNIT, SUPEREXEC_UNIT, f"{SUPERNODE_UNIT}*.service", f"{CLIENTAPPS_UNIT}*.service",
)  # fmt: skip
HIERARCHIES = ("", "/systemd")  # the one of today, and systemd's own of before
BEFORE_RELEASES = "venv"  # what is loaded from an environment in the place of the link


def services() -> list[str]:
    """Return the names of Flower's services on this host that systemd knows, in the order in which they are started."""
    shown = control("list-units", "--all", "--plain", "--no-legend", "--no-pager", "--full", *FLOWER_SERVICES)
    names = {line.split()[0] for line in shown.splitlines() if line.strip()}
    order = [name.partition("*")[0] for name in FLOWER_SERVICES]
    return sorted(names, key=lambda name: ([name.startswith(start) for start in order].index(True), name))


def running(home: str, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> list[dict[str, t.Any]]:
    """Return how each service is, for how many seconds, and which releases its processes have loaded."""
    names = services()
    units = show_units(*names) if names else []
    return [
        {
            "unit": unit.name,
            "state": unit.state,
            "restarts": unit.restarts,
            "seconds": _seconds(unit),
            "releases": sorted({name for pid in _processes(unit, cgroups) for name in loaded(home, pid, proc)}),
        }
        for unit in units
        if unit.load != "not-found"
    ]


def loaded(home: str, pid: int, proc: str = "/proc") -> set[str]:
    """Return the releases that a process has loaded libraries of: the kernel names their files, whatever links say."""
    root = re.escape(os.path.realpath(home))
    pattern = re.compile(rf"\s{root}/(?:{DIRECTORY}/([^/\n]+)|(venv))/")
    try:
        with open(os.path.join(proc, str(pid), "maps"), encoding="utf-8", errors="replace") as stream:
            return {match[1] or BEFORE_RELEASES for match in pattern.finditer(stream.read())}
    except OSError:
        return set()  # it has ended meanwhile


def _processes(unit: Unit, cgroups: str) -> list[int]:
    for hierarchy in HIERARCHIES if unit.cgroup else ():
        with suppress(OSError), open(f"{cgroups}{hierarchy}{unit.cgroup}/cgroup.procs", encoding="ascii") as stream:
            return [int(line) for line in stream]
    return [unit.pid] if unit.pid else []


def _seconds(unit: Unit) -> float:
    """Return how long it has been active without a restart."""
    return round(max(0.0, time.monotonic() - unit.since), 1) if unit.active == "active" else 0.0
