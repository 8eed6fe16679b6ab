# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of the SuperNodes of a host: their files, and that systemd runs exactly them as they are now.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import typing as t
from contextlib import suppress

from .._base import guarded
from .._base.errors import FedopsError
from .._base.files import Directory, File, remove_empty
from .._base.layout import GPUS_UNIT, SYSTEMD
from .._base.layout import file as file_of
from .._base.sent import SentFile
from .._base.systemd import SHOW, Unit, read_units
from .._gpus.access import given_gpus, gpu_settings, gpus_are_used
from .place import SETTINGS, Place, places_found, unit_files
from .sessions import why_left
from .wanted import Outcome, StateOwners, Texts, WantedUnits

# Units whose files are new and that do not run from them yet. After a reboot they do.
TO_RESTART = file_of("/", "supernodes_to_restart")
NODE_ID = "node-id"
_NODE_ID = re.compile(rb"[0-9]{1,20}\n?")
_STEP_TIMEOUT = 300  # seconds; systemd itself kills what does not stop after 90


class UnitsError(FedopsError):
    """systemd cannot do what is asked; the message ends with what it said."""


class Units:
    """The SuperNodes of the host whose Flower lives in ``home``."""

    def __init__(self, home: str, owners: StateOwners, systemd: str = SYSTEMD, check_mode: bool = False) -> None:
        self.home = home
        self.owners = owners
        self.systemd = systemd
        self.check_mode = check_mode
        self.outcome = Outcome()

    def ensure(self, texts: Texts, program: SentFile, wanted: t.Sequence[WantedUnits]) -> Outcome:
        """Have these SuperNodes run from these units and no others; restart those of which anything has changed.

        ``program`` is the one that runs the ClientApps.
        """
        places = {Place(self.home, one.instance): one for one in wanted}
        names = {place: one.name or place.unit for place, one in places.items()}
        given = given_gpus({names[place]: one.gpus for place, one in places.items()}, self.home)
        self.outcome.gpus, self.outcome.warnings = given.told, given.warnings
        # One without a text is to be gone.
        gpus = {place: File(self._gpu_settings(place), given.text(name)) for place, name in names.items()}
        own = {place: self._own_files(place, one, gpus[place]) for place, one in places.items()}
        unit_names = {name for place in own for name in place.unit_files}
        shared: list[File | SentFile] = [
            File(os.path.join(self.systemd, name), text)
            for place in list(own)[:1]
            for name, text in zip(place.unit_files, (texts.unit, texts.apps_unit))
        ]
        if own:
            shared += [File(file_of(self.home, "supernode_launcher"), texts.launcher, 0o755), program]
        left = self._pending()
        # Together: a ClientApp that ends alone costs a training more than a SuperNode that begins anew.
        outdated = [
            unit
            for place, files in own.items()
            for unit in (place.unit, place.apps_unit)
            if {place.unit, place.apps_unit} & set(left)
            or (not gpus[place].text and gpus[place].found is not None)
            or not all(file.is_in_place for file in (*shared, *files))
            or not os.path.exists(place.secret)
        ]
        owners = (0, self.owners.supernode[0])
        gone = {place: why for place, one in places.items() if (why := why_left(place, one.leave_after, owners))}
        self.outcome.left = {names[place]: why for place, why in gone.items()}
        self._note_pending(outdated)
        removed = self._remove(
            [place for place in places_found(self.home, self.systemd) if place not in own], unit_names
        )
        if own:
            self._make(Directory(os.path.join(self.home, "bin"), 0o755))
        for place, one in places.items():
            self._make_directories(place, one)
            self._make_secret(place)
            self._take_over(place)
        for settings in gpus.values():
            if settings.text:
                self._make(Directory(os.path.dirname(settings.path)))
            else:
                self._delete(settings.path)
        for file in (*shared, *(file for files in own.values() for file in files)):
            self._write(file)
        if given.told and not self.check_mode:
            given.name_devices()
        elif not given.told:
            self._forget_names()
        units, resting = ([unit for one in some for unit in (one.unit, one.apps_unit)] for some in (own, gone))
        self._run(outdated, units, resting, bool(removed))
        self._note_pending([])
        return self.outcome

    def _pending(self) -> list[str]:
        """The units that an earlier execution was to restart and has not come to."""
        return (File(TO_RESTART, "").found or "").split()

    def _note_pending(self, units: list[str]) -> None:
        if self.check_mode or units == self._pending():
            return
        if units:
            File(TO_RESTART, " ".join(units)).write()
        else:
            os.unlink(TO_RESTART)

    def _run(self, outdated: list[str], units: list[str], resting: t.Collection[str], reload: bool) -> None:
        if outdated or reload:
            self._systemctl("daemon-reload")
        states = self._states(units)
        disabled = [unit.name for unit in states if not unit.enabled]
        stopped = [unit.name for unit in states if not unit.runs and unit.name not in resting]
        self.outcome.started = [unit for unit in units if unit in stopped or unit in disabled]
        self.outcome.restarted = [unit for unit in outdated if unit not in stopped and unit not in resting]
        for command, names in (
            ("enable", disabled), ("restart", self.outcome.restarted), ("start", stopped),
        ):  # fmt: skip
            if names:
                self._systemctl(command, *names)

    def _forget_names(self) -> None:
        """Remove what names GPUs when the host starts, where no unit uses one."""
        if self._exists(GPUS_UNIT) and not gpus_are_used(self.systemd):
            self._systemctl("disable", "--now", GPUS_UNIT)
            self._delete(os.path.join(self.systemd, GPUS_UNIT))
            self._delete(file_of(self.home, "gpus"))

    def _own_files(self, place: Place, wanted: WantedUnits, gpus: File) -> list[File]:
        """What belongs to one SuperNode alone."""
        files = [File(place.config, wanted.config, 0o640, 0, self.owners.supernode[1]), *([gpus] if gpus.text else [])]
        if not place.instance:
            return files
        texts = (wanted.settings, wanted.apps_settings)
        settings = zip(self._settings(place), texts)
        return [*files, *(File(os.path.join(folder, SETTINGS), text) for folder, text in settings)]

    def _make_directories(self, place: Place, wanted: WantedUnits) -> None:
        data = os.path.join(self.home, "data")
        if os.path.dirname(wanted.data_directory) == data and not os.path.lexists(wanted.data_directory):
            # Before there is data, so that a unit that runs sees what is put there later.
            self._make(Directory(wanted.data_directory, 0o750, 0, self.owners.data))
        if not place.instance:
            return
        for path in (os.path.dirname(place.root), place.root, *self._settings(place)):
            self._make(Directory(path, 0o755))

    def _make_secret(self, place: Place) -> None:
        """Have what a SuperNode and the unit of its ClientApps know each other by."""
        if os.path.exists(place.secret):
            return
        self._make(Directory(os.path.dirname(place.secret), 0o755))
        self.outcome.note(place.secret, None, "(a secret)\n")
        if not self.check_mode:
            guarded.write_bytes(place.secret, secrets.token_hex(32).encode(), 0o600, (0, 0))

    def _take_over(self, place: Place) -> None:
        """Take over what the account of before has left, with which a SuperNode says goodbye for its last process."""
        former = os.path.join(place.former_directory, NODE_ID)
        if self.check_mode or not os.path.lexists(former):
            return
        with suppress(OSError):
            content = guarded.read_bytes(former, 64, (0, self.owners.former))
            if _NODE_ID.fullmatch(content) and not os.path.lexists(place.state):
                if place.instance:
                    guarded.make_directory(os.path.dirname(place.state), 0o755, (0, 0))
                guarded.make_directory(place.state, 0o700, self.owners.supernode)
                guarded.write_bytes(os.path.join(place.state, NODE_ID), content, 0o600, self.owners.supernode)
        if place.instance:
            guarded.remove_tree(place.former_directory)
        else:
            guarded.remove(former)

    def _make(self, directory: Directory) -> None:
        if directory.is_in_place:
            return
        self.outcome.note(directory.path, None, f"directory {directory.path}\n")
        if not self.check_mode:
            directory.make()

    def _write(self, file: File | SentFile) -> None:
        if file.is_in_place:
            return
        self.outcome.note(file.path, file.found, file.text)
        if not self.check_mode:
            file.write()

    def _remove(self, stale: t.Sequence[Place], names: t.Collection[str]) -> list[str]:
        """Stop SuperNodes that are not wanted and remove their files; return what systemd has to forget."""
        units = [place.unit for place in stale]
        self.outcome.removed = units
        apps = [place.apps_unit for place in stale if self._exists(place.unit_files[1])]
        if units:
            self._systemctl("disable", "--now", *apps, *units)
        for place in stale:
            for path in (
                place.root if place.instance else place.config, place.secret, place.state, self._gpu_settings(place),
            ):  # fmt: skip
                self._delete(path)
            if place.instance:
                # That of the SuperNode last, by which it is found.
                for folder in reversed(self._settings(place)):
                    self._delete(folder)
                if not self.check_mode:
                    remove_empty(os.path.dirname(place.root))
        known = (*unit_files(""), *unit_files("@"))
        unused = [name for name in known if name not in names and self._exists(name)]
        for name in unused:
            self._delete(os.path.join(self.systemd, name))
        if not names:
            for launcher in ("supernode_launcher", "clientapps_launcher"):
                self._delete(file_of(self.home, launcher))
            if not self.check_mode:
                remove_empty(os.path.join(self.home, "bin"))
        return units + unused

    def _exists(self, unit_file: str) -> bool:
        return os.path.exists(os.path.join(self.systemd, unit_file))

    def _delete(self, path: str) -> None:
        if not os.path.lexists(path):
            return
        self.outcome.note(path, f"{path}\n", None)
        if self.check_mode:
            return
        if os.path.isdir(path) and not os.path.islink(path):
            guarded.remove_tree(path)
        else:
            guarded.remove(path)

    def _gpu_settings(self, place: Place) -> str:
        return gpu_settings(place.apps_unit, self.systemd)

    def _settings(self, place: Place) -> tuple[str, str]:
        """Return where an instance adds to the units: of the SuperNode, and of its ClientApps."""
        return os.path.join(self.systemd, f"{place.unit}.d"), os.path.join(self.systemd, f"{place.apps_unit}.d")

    def _states(self, names: t.Sequence[str]) -> list[Unit]:
        """Ask systemd for the state of all units at once."""
        return read_units(names, self._say(*SHOW, *names)) if names else []

    def _systemctl(self, *arguments: str) -> None:
        if not self.check_mode:
            self._say(*arguments)

    def _say(self, *arguments: str) -> str:
        command = " ".join(("systemctl", *arguments))
        try:
            done = subprocess.run(
                ["systemctl", *arguments], capture_output=True, text=True, timeout=_STEP_TIMEOUT, check=False
            )
        except FileNotFoundError:
            raise UnitsError("systemctl does not exist on this host, but SuperNodes run under systemd.") from None
        except subprocess.TimeoutExpired:
            raise UnitsError(f"'{command}' took longer than {_STEP_TIMEOUT} s.") from None
        if done.returncode != 0:
            raise UnitsError(f"'{command}' failed with exit status {done.returncode}:\n{done.stderr.strip()}")
        return done.stdout
