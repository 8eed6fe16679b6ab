# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes that systemd runs services from their files as these are now.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .systemd import SystemdError

PROPERTIES = ("ActiveState", "NeedDaemonReload", "UnitFileState")
_RUNNING = ("active", "activating", "reloading")


@dataclass(frozen=True)
class State:
    """A service as systemd knows it."""

    running: bool
    enabled: bool
    outdated: bool  # its unit has changed since systemd read it


@dataclass(frozen=True)
class Steps:
    """What is to be done, in the order of the services."""

    reload_systemd: bool
    enable: tuple[str, ...]
    run: tuple[tuple[str, str], ...]  # start, restart or reload, and the service

    @property
    def needed(self) -> bool:
        return bool(self.reload_systemd or self.enable or self.run)

    def of(self, verb: str) -> list[str]:
        """Return the services that are started, restarted or reloaded."""
        return [service for one, service in self.run if one == verb]


def parse_states(services: t.Sequence[str], shown: str) -> dict[str, State]:
    """Return the states from what C(systemctl show) says, which has a paragraph for each service in the order asked.

    SystemdError when it has another number of them.
    """
    paragraphs = [dict(line.split("=", 1) for line in text.splitlines()) for text in shown.strip().split("\n\n")]
    if len(paragraphs) != len(services):
        raise SystemdError(
            f"systemctl show told of {len(paragraphs)} units but was asked for {len(services)}:\n{shown}"
        )
    return {
        service: State(
            running=properties.get("ActiveState") in _RUNNING,
            enabled=properties.get("UnitFileState") == "enabled",
            outdated=properties.get("NeedDaemonReload") == "yes",
        )
        for service, properties in zip(services, paragraphs)
    }


def steps(
    services: t.Sequence[str],
    states: t.Mapping[str, State],
    restart: t.Container[str],
    reload: t.Container[str],
    units_changed: bool,
) -> Steps:
    """Return what it takes to have all of them enabled and running, from files some of which have just changed.

    A unit that systemd has not read since it was written is from a run that was cut short: its service is restarted.
    """
    run = []
    for service in services:
        state = states[service]
        if not state.running:
            run.append(("start", service))
        elif service in restart or state.outdated:
            run.append(("restart", service))
        elif service in reload:
            run.append(("reload", service))
    return Steps(
        reload_systemd=units_changed or any(state.outdated for state in states.values()),
        enable=tuple(service for service in services if not states[service].enabled),
        run=tuple(run),
    )
