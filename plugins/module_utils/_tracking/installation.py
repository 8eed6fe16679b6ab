# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having trackers follow trainings on a host: settings, secrets and a unit for each that is asked for.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import stat
import typing as t
from contextlib import suppress

from .._base.guarded import ROOT, read_bytes, remove, remove_tree, status, us, write_bytes
from .._base.layout import TRACKED, TRACKER_UNIT, TRACKERS, folder, unit_file
from .._base.records import read_object
from .._base.systemd import SystemdError, control, show_units
from .tracker import STATE_FILE

SETTINGS_MODE, SECRETS_MODE, UNIT_MODE = 0o644, 0o600, 0o644
_MOST_TRAININGS = 1000
_OPEN = 0o755
_STATE_LIMIT = 4 << 20


class TrackerFiles:
    """What one tracker has on a host."""

    def __init__(self, home: str, name: str) -> None:
        place = folder(home, "trackers")
        self.name, self.unit = name, f"{TRACKER_UNIT}{name}.service"
        self.settings = os.path.join(place, f"{name}.json")
        self.secrets = os.path.join(place, f"{name}.secret")  # named in its unit as well
        self.environment = os.path.join(place, name)
        self.unit_file = unit_file(self.unit)

    @property
    def trainings(self) -> dict[str, t.Any]:
        """Return the trainings that it follows, and what is asked of each."""
        found = (read_object(self.settings, _writers()) or {}).get("trainings")
        return dict(found) if isinstance(found, dict) else {}

    @property
    def is_there(self) -> bool:
        """Tell whether anything of it is."""
        places = (self.settings, self.secrets, self.environment, self.unit_file)
        return any(status(place) is not None for place in places)

    def follow(
        self,
        training: str,
        asked: t.Mapping[str, t.Any],
        options: t.Mapping[str, t.Any],
        secrets: t.Mapping[str, str],
        unit: str,
        check_mode: bool = False,
    ) -> bool:
        """Have it follow a training, too; tell whether that changed anything."""
        settings = {
            "tracker": self.name,
            "options": dict(options),
            "trainings": {**self.trainings, training: dict(asked)},
        }
        wanted = (
            (self.settings, _text(settings), SETTINGS_MODE),
            (self.secrets, _text(secrets), SECRETS_MODE),
            (self.unit_file, unit.encode(), UNIT_MODE),
        )
        differing = [one for one in wanted if _content(one[0]) != one[1]]
        found = status(self.environment)
        closed = found is not None and stat.S_IMODE(found.st_mode) != _OPEN  # as root's umask may have made it
        (known,) = show_units(self.unit)
        if not differing and not closed and known.runs and known.enabled:
            return False
        if not check_mode:
            if closed:
                os.chmod(self.environment, _OPEN)
            if differing and known.lives:
                control("stop", self.unit)  # first: what is cut short here is started by the next run
            for path, content, mode in differing:
                write_bytes(path, content, mode, us())
            control("daemon-reload")
            with suppress(SystemdError):
                control("reset-failed", self.unit)
            control("enable", "--quiet", self.unit)
            control("start", self.unit)
        return True

    def unfollow(self, training: str, check_mode: bool = False) -> bool:
        """Have it not follow a training, and be gone when it follows none; tell whether that changed anything."""
        left = {name: asked for name, asked in self.trainings.items() if name != training}
        if left:
            changed = len(left) != len(self.trainings)
            if changed and not check_mode:
                settings = {**(read_object(self.settings, _writers()) or {}), "trainings": left}
                write_bytes(self.settings, _text(settings), SETTINGS_MODE, us())
            return changed
        if not self.is_there:
            return False
        if not check_mode:
            with suppress(SystemdError):
                control("disable", "--now", "--quiet", self.unit)
            remove(self.unit_file)
            control("daemon-reload")
            remove(self.secrets)
            if status(self.environment) is not None:
                remove_tree(self.environment)
            remove(self.settings)
        return True


def standing(home: str) -> list[dict[str, t.Any]]:
    """Return how each tracker of a host stands, for whoever asks."""
    there = [files for files in (TrackerFiles(home, name) for name in TRACKERS) if files.trainings]
    units = show_units(*(files.unit for files in there)) if there else []
    return [_standing(files, unit.state, unit.runs or not unit.is_known) for files, unit in zip(there, units)]


def told_of(files: TrackerFiles) -> dict[str, t.Any]:
    """Return what a tracker has noted of each training."""
    known = _noted(files).get("trainings")
    return known if isinstance(known, dict) else {}


def _noted(files: TrackerFiles) -> dict[str, t.Any]:
    return read_object(os.path.join(TRACKED, files.name, STATE_FILE), limit=_STATE_LIMIT) or {}


def _standing(files: TrackerFiles, state: str, runs: bool) -> dict[str, t.Any]:
    known, trainings = told_of(files), []
    for name in sorted(files.trainings)[:_MOST_TRAININGS]:
        row = known.get(name)
        seen = row if isinstance(row, dict) else {}
        trainings.append(
            {"name": name, **{key: seen.get(key) for key in ("told", "newest", "closed", "link", "label")}}
        )
    problem = str(_noted(files).get("problem") or "")
    if not runs:
        problem = f"{files.unit} is {state}: 'journalctl -u {files.unit}' tells why"
    return {"name": files.name, "unit": files.unit, "problem": problem or None, "trainings": trainings}


def _writers() -> set[int]:
    return {ROOT, us()[0]}


def _text(value: t.Mapping[str, t.Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def _content(path: str) -> bytes | None:
    try:
        return read_bytes(path, owners=_writers())
    except OSError:
        return None
