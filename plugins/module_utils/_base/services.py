# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes that systemd runs services from their files as these are now.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .systemd import Unit


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


def steps(
    units: t.Sequence[Unit],
    restart: t.Container[str],
    reload: t.Container[str],
    units_changed: bool,
) -> Steps:
    """Return what it takes to have all of them enabled and running, from files some of which have just changed.

    A unit that systemd has not read since it was written is from a run that was cut short: its service is restarted.
    """
    run = []
    for unit in units:
        if not unit.runs:
            run.append(("start", unit.name))
        elif unit.name in restart or unit.outdated:
            run.append(("restart", unit.name))
        elif unit.name in reload:
            run.append(("reload", unit.name))
    return Steps(
        reload_systemd=units_changed or any(unit.outdated for unit in units),
        enable=tuple(unit.name for unit in units if not unit.enabled),
        run=tuple(run),
    )


def take(todo: Steps, run: t.Callable[[list[str]], tuple[int, str, str]]) -> list[str]:
    """Do it, and return what systemd says about that which failed. C(run) is the C(run_command) of a module."""
    commands = [["daemon-reload"]] if todo.reload_systemd else []
    commands += [["enable", *todo.enable]] if todo.enable else []
    commands += [[verb, service] for verb, service in todo.run]
    problems = []
    for command in commands:
        code, said, complained = run(["systemctl", *command])
        if code != 0:
            problems.append(f"'systemctl {' '.join(command)}' failed: {(complained or said).strip()}")
    return problems
