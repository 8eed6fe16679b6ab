# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of the SuperNodes of a host: their files, and that systemd runs exactly them as they are now.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import typing as t
from dataclasses import dataclass, field

from ._files import Directory, File, remove_empty
from ._instances import SINGLE_UNIT, TEMPLATE_UNIT, Place
from ._services import State, parse_states

SYSTEMD = "/etc/systemd/system"
SETTINGS = "flower.conf"
# Units whose files are new and that do not run from them yet. After a reboot they do.
LAUNCHER = "bin/flower-supernode"  # below the home
PENDING = "/run/flower-supernodes-to-restart"
STEP_TIMEOUT = 300  # seconds; systemd itself kills what does not stop after 90


class UnitsError(Exception):
    """systemd cannot do what is asked; the message ends with what it said."""


@dataclass(frozen=True)
class Wanted:
    """A SuperNode as asked for: what it tells its ClientApps, and what it adds to the unit of all instances."""

    instance: str
    config: str
    settings: str


@dataclass
class Outcome:
    """What was done, or in check mode would be."""

    restarted: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.restarted or self.started or self.removed or self.diff)

    def note(self, path: str, before: str | None, after: str | None) -> None:
        self.diff.append(
            {"before_header": path, "after_header": path, "before": before or "", "after": after or ""},
        )


class Units:
    """The SuperNodes of the host whose Flower lives in ``home`` and runs as ``uid`` and ``gid``."""

    def __init__(self, home: str, uid: int, gid: int, systemd: str = SYSTEMD, check_mode: bool = False) -> None:
        self.home = home
        self.uid = uid
        self.gid = gid
        self.systemd = systemd
        self.check_mode = check_mode
        self.outcome = Outcome()

    def ensure(self, unit: str, launcher: str, wanted: t.Sequence[Wanted]) -> Outcome:
        """Have these SuperNodes run from this unit and no others; restart those of which anything has changed."""
        own = {place: self._own_files(place, one) for place, one in ((Place(self.home, w.instance), w) for w in wanted)}
        names = {place.unit_file for place in own}
        shared = [File(os.path.join(self.systemd, name), unit) for name in sorted(names)]
        if own:
            shared.append(File(self._launcher, launcher, 0o755))
        left = self._pending()
        outdated = [
            place.unit
            for place, files in own.items()
            if place.unit in left or not all(file.is_in_place for file in (*shared, *files))
        ]
        self._note_pending(outdated)
        removed = self._remove([place for place in self._found() if place not in own], names)
        if own:
            self._make(Directory(os.path.dirname(self._launcher), 0o755))
        for place in own:
            self._make_directories(place)
        for file in (*shared, *(file for files in own.values() for file in files)):
            self._write(file)
        self._run(outdated, [place.unit for place in own], bool(removed))
        self._note_pending([])
        return self.outcome

    def _pending(self) -> list[str]:
        """The units that an earlier execution was to restart and has not come to."""
        return (File(PENDING, "").found or "").split()

    def _note_pending(self, units: list[str]) -> None:
        if self.check_mode or units == self._pending():
            return
        if units:
            File(PENDING, " ".join(units)).write()
        else:
            os.unlink(PENDING)

    def _run(self, outdated: list[str], units: list[str], reload: bool) -> None:
        if outdated or reload:
            self._systemctl("daemon-reload")
        states = self._states(units)
        disabled = [unit for unit in units if not states[unit].enabled]
        stopped = [unit for unit in units if not states[unit].running]
        self.outcome.started = [unit for unit in units if unit in stopped or unit in disabled]
        self.outcome.restarted = [unit for unit in outdated if unit not in stopped]
        for command, names in (
            ("enable", disabled), ("restart", self.outcome.restarted), ("start", stopped),
        ):  # fmt: skip
            if names:
                self._systemctl(command, *names)

    def _own_files(self, place: Place, wanted: Wanted) -> list[File]:
        """What belongs to one SuperNode alone."""
        config = File(place.config, wanted.config, 0o640, 0, self.gid)
        settings = File(os.path.join(self._settings(place), SETTINGS), wanted.settings)
        return [config, settings] if place.instance else [config]

    def _make_directories(self, place: Place) -> None:
        if not place.instance:
            return
        for directory in (
            Directory(os.path.dirname(place.root), 0o750, 0, self.gid),
            Directory(place.root, 0o750, 0, self.gid),
            Directory(place.directory, 0o700, self.uid, self.gid),
            Directory(self._settings(place), 0o755),
        ):
            self._make(directory)

    def _make(self, directory: Directory) -> None:
        if directory.is_in_place:
            return
        self.outcome.note(directory.path, None, f"directory {directory.path}\n")
        if not self.check_mode:
            directory.make()

    def _write(self, file: File) -> None:
        if file.is_in_place:
            return
        self.outcome.note(file.path, file.found, file.text)
        if not self.check_mode:
            file.write()

    def _found(self) -> list[Place]:
        """The SuperNodes that this host has: what an instance adds to the unit tells of it, and goes last."""
        before, after = (len(part) for part in TEMPLATE_UNIT.split("@"))
        settings = glob.glob(os.path.join(glob.escape(self.systemd), f"{Place('', '*').unit}.d", SETTINGS))
        names = [os.path.basename(os.path.dirname(path))[: -len(".d")] for path in settings]
        instances = sorted(name[before + 1 : -after] for name in names)
        single = [""] if os.path.exists(os.path.join(self.systemd, SINGLE_UNIT)) else []
        return [Place(self.home, instance) for instance in single + instances]

    def _remove(self, stale: t.Sequence[Place], unit_files: t.Collection[str]) -> list[str]:
        """Stop SuperNodes that are not wanted and remove their files; return what systemd has to forget."""
        units = [place.unit for place in stale]
        self.outcome.removed = units
        if units:
            self._systemctl("disable", "--now", *units)
        for place in stale:
            self._delete(place.root if place.instance else place.config)
            if place.instance:
                self._delete(self._settings(place))
            if place.instance and not self.check_mode:
                remove_empty(os.path.dirname(place.root))
        unused = [
            name
            for name in (SINGLE_UNIT, TEMPLATE_UNIT)
            if name not in unit_files and os.path.exists(os.path.join(self.systemd, name))
        ]
        for name in unused:
            self._delete(os.path.join(self.systemd, name))
        if not unit_files:
            self._delete(self._launcher)
            if not self.check_mode:
                remove_empty(os.path.dirname(self._launcher))
        return units + unused

    def _delete(self, path: str) -> None:
        if not os.path.lexists(path):
            return
        self.outcome.note(path, f"{path}\n", None)
        if self.check_mode:
            return
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    @property
    def _launcher(self) -> str:
        return os.path.join(self.home, LAUNCHER)

    def _settings(self, place: Place) -> str:
        return os.path.join(self.systemd, f"{place.unit}.d")

    def _states(self, units: t.Sequence[str]) -> dict[str, State]:
        """Ask systemd for the state of all units at once; it answers in the order of the question."""
        if not units:
            return {}
        said = self._say("show", "--property=ActiveState,UnitFileState", *units)
        try:
            return parse_states(units, said)
        except ValueError as error:
            raise UnitsError(str(error)) from None

    def _systemctl(self, *arguments: str) -> None:
        if not self.check_mode:
            self._say(*arguments)

    def _say(self, *arguments: str) -> str:
        command = " ".join(("systemctl", *arguments))
        try:
            done = subprocess.run(
                ["systemctl", *arguments], capture_output=True, text=True, timeout=STEP_TIMEOUT, check=False
            )
        except FileNotFoundError:
            raise UnitsError("systemctl does not exist on this host, but SuperNodes run under systemd.") from None
        except subprocess.TimeoutExpired:
            raise UnitsError(f"'{command}' took longer than {STEP_TIMEOUT} s.") from None
        if done.returncode != 0:
            raise UnitsError(f"'{command}' failed with exit status {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout
