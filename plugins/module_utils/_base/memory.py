# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services of a host were killed for want of memory, in words.

systemd forgets why as soon as it has started a service again, in a new control group that counts from zero. The journal
remembers.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import datetime
import json
import re
import typing as t
from dataclasses import dataclass

from .layout import GATEWAY_UNIT, SUPEREXEC_UNIT, SUPERLINK_UNIT
from .systemd import SystemdError, Unit, journal, show_units

# "A process of this unit has been killed by the OOM killer", as SD_MESSAGE_UNIT_OUT_OF_MEMORY in sd-messages.h.
MESSAGE = "fe6faa94e7774663a0da52717891d8ef"
OOM_KILL = "oom-kill"  # the result of a unit that has ended by it
SINCE = "-24h"
LINES = 1000
# What a service is, and the variable that bounds it.
Services = t.Mapping[str, tuple[str, str]]
SUPERLINK_SERVICES: Services = {
    SUPERLINK_UNIT: ("SuperLink", "superlink_memory_max"),
    SUPEREXEC_UNIT: ("SuperExec with its ServerApps", "superlink_executor_memory_max"),
    GATEWAY_UNIT: ("gateway", ""),
}

_BOUND = re.compile("infinity|[1-9][0-9]*[KMGT]?|[1-9][0-9]?%|100%")


def bound_problems(variable: str, value: object) -> list[str]:
    """Say that a bound is none that systemd takes for C(MemoryMax=): it would ignore that one."""
    if _BOUND.fullmatch(str(value)):
        return []
    return [
        f"{variable} is {value} but must be a number of bytes, which may end with K, M, G or T, a share of the host's"
        " memory such as 80%, or infinity."
    ]


@dataclass(frozen=True)
class Kills:
    """How often a unit was hit in the last day, and when for the last time, in seconds since 1970."""

    count: int = 0
    last: float = 0.0


def memory_problems(services: Services) -> list[str]:
    """Say which services were killed for want of memory, and what bounds them; nothing where nobody knows."""
    if not services:
        return []
    kills, units = memory_kills(services), {unit.name: unit for unit in show_units(*services)}
    return [
        _words(units[name], kills.get(name, Kills()), *services[name])
        for name in services
        if name in kills or units[name].result == OOM_KILL
    ]


def memory_kills(services: Services) -> dict[str, Kills]:
    """Return what the journal has of the last day."""
    found: dict[str, Kills] = {}
    try:
        text = journal(
            f"--since={SINCE}", f"--lines={LINES}", f"MESSAGE_ID={MESSAGE}", *(f"UNIT={n}" for n in services)
        )
    except SystemdError:
        return {}
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            name, last = entry["UNIT"], int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
        if name in services:
            found[name] = Kills(found.get(name, Kills()).count + 1, last)
    return found


def _words(unit: Unit, kills: Kills, what: str, variable: str) -> str:
    often = f"{kills.count} times in the last 24 hours" if kills.count > 1 else "once in the last 24 hours"
    when = datetime.datetime.fromtimestamp(kills.last, datetime.timezone.utc).isoformat(timespec="seconds")
    told = f" {often}, last at {when}" if kills.count else ""
    bound = f"Its bound is {unit.memory_max / 1e9:.1f} GB" if unit.memory_max else "It has no bound of its own"
    advice = f"Raise {variable} if the host has more" if variable and unit.memory_max else "Give the host more memory"
    state = "It runs again." if unit.runs else "It does not run."
    return f"The {what} ({unit.name}) was killed for want of memory{told}. {state} {bound}. {advice}."
