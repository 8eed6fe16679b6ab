# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the SuperNodes of a host are to be, and what came of it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WantedUnits:
    """A SuperNode as asked for: what it tells its ClientApps, and what it adds to the units of all instances."""

    instance: str
    config: str
    settings: str = ""
    apps_settings: str = ""
    data_directory: str = ""
    name: str = ""
    leave_after: int = 0  # trainings; 0 for never
    gpus: t.Sequence[str] = ()  # as asked_gpus returns them


@dataclass(frozen=True)
class Texts:
    """What all SuperNodes of a host share: the units of the SuperNode and its ClientApps, and its program."""

    unit: str = ""
    apps_unit: str = ""
    launcher: str = ""


@dataclass(frozen=True)
class StateOwners:
    """The numbers of who is given files: the SuperNodes' account, and the group that reads data."""

    supernode: tuple[int, int] = (0, 0)
    data: int = 0
    former: int = 0  # the account that SuperNodes ran as before they had one of their own


@dataclass
class Outcome:
    """What was done, or in check mode would be."""

    restarted: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)  # names, and why
    gpus: dict[str, list[str]] = field(default_factory=dict)  # of each SuperNode that has any, for a person
    warnings: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.restarted or self.started or self.removed or self.diff)

    def note(self, path: str, before: str | None, after: str | None) -> None:
        self.diff.append(
            {"before_header": path, "after_header": path, "before": before or "", "after": after or ""},
        )
