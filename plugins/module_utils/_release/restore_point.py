# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A point that a host can go back to: its release, its units, and the SuperLink's state as it was at one moment.

A newer Flower migrates its database, and an older one does not read it any more: going back needs the old one. A point
is open until the host is known to be well; while it is, what was cut short goes on with it.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
import tempfile
import typing as t
from contextlib import suppress
from datetime import datetime, timezone

from .._backup.database import check_database, snapshot
from .._base import guarded, layout
from .._base.errors import FedopsError
from .._base.layout import (
    CLIENTAPPS_UNIT,
    DATABASE,
    FENCE_UNIT,
    GATEWAY_UNIT,
    ON,
    SUPERNODE_UNIT,
    UNITS,
    unit_file,
)
from .._base.records import RecordError, read_record, write_object
from .._base.systemd import SystemdError, control, show_units
from .releases import Releases
from .running import services

OPEN_POINT = "open"  # the link to the point that is open
POINT_CONTENTS = "contents.json"
FENCES = tuple(f"{FENCE_UNIT}{kind}.service" for kind in ON)
# What says how the services run. Below the home without a slash at the beginning.
POINT_FILES = (
    *(unit_file(unit.name) for unit in UNITS if unit.of_release),
    *(unit_file(f"{name}@*.service.d/flower.conf") for name in (SUPERNODE_UNIT, CLIENTAPPS_UNIT)),
    *(entry.path for entry in layout.FILES if entry.of_release),
    "app/.flwr/config.toml",  # of before the command line had an account of its own
    "supernodes/*/supernode.toml",
)


class RestorePointError(FedopsError):
    """There is no point to go back to, or it cannot be gone back to; the message says why."""


class RestorePoints:
    """The points of the host whose Flower lives in C(home), below a directory that is root's alone."""

    def __init__(self, directory: str, home: str, root: str = "/") -> None:
        self.directory = directory
        self.home = home
        self.root = root
        self.releases = Releases(os.path.join(home, "venv"))

    @property
    def open(self) -> str | None:
        """Return the point that is open."""
        path = os.path.join(self.directory, OPEN_POINT)
        return os.path.realpath(path) if os.path.exists(os.path.join(path, POINT_CONTENTS)) else None

    def contents(self) -> dict[str, t.Any] | None:
        """Return what the open point holds."""
        if self.open is None:
            return None
        try:
            return read_record(os.path.join(self.open, POINT_CONTENTS))
        except RecordError as error:
            raise RestorePointError(
                f"{self.open}/{POINT_CONTENTS} cannot be read: {error}. Remove {self.directory}/{OPEN_POINT}."
            ) from None

    def save(self, token: str) -> bool:
        """Open a point, unless one is open for the same C(token); tell whether it was made now."""
        known = self.contents()
        if known is not None and known["token"] == token:
            return False
        self.releases.adopt()
        if self.releases.current is None:
            raise RestorePointError(f"{self.releases.link} leads to no release: there is nothing to go back to.")
        moment = datetime.now(timezone.utc)
        os.makedirs(self.directory, 0o700, exist_ok=True)
        os.chmod(self.directory, 0o700)
        work = tempfile.mkdtemp(prefix=".", dir=self.directory)  # 0700, as it must be
        try:
            contents = {
                "version": 1,
                "token": token,
                "saved_at": moment.isoformat(timespec="seconds"),
                "release": self.releases.current,
                "services": [unit.name for unit in show_units(*services()) if unit.lives],
                "files": {path: _keep(path, work, str(number)) for number, path in enumerate(self._files())},
                "database": self._keep_database(work),
            }
            write_object(os.path.join(work, POINT_CONTENTS), contents, 0o600)
            place = os.path.join(self.directory, moment.strftime("%Y-%m-%dT%H-%M-%SZ"))
            os.rename(work, place)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise
        link = os.path.join(self.directory, f".{OPEN_POINT}")
        with suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(os.path.basename(place), link)
        os.replace(link, os.path.join(self.directory, OPEN_POINT))
        return True

    def differs(self) -> bool:
        """Tell whether the host is not as it was at the open point."""
        known = self.contents()
        return known is not None and (self._is_switched(known) or bool(self._changed_files(known)))

    def restore(self) -> bool:
        """Go back to the open point, and start what ran then; tell whether anything had to be brought back."""
        known = self.contents()
        if known is None or self.open is None:
            raise RestorePointError(f"{self.directory} has no open point: there is nothing to go back to.")
        if not self.releases.is_built(known["release"]):
            raise RestorePointError(f"The release {known['release']} is gone: deploy it again with its lock.")
        changed = self._changed_files(known)
        switched = self._is_switched(known)
        if switched or changed:
            present = services()
            if present:
                control("stop", *reversed(present))
            if switched and known["database"]:
                self._restore_database(known["database"])
            for path in changed:
                self._restore_file(path, known["files"].get(path))
            self.releases.switch(known["release"])
            control("daemon-reload")
        for part, unit in (*(("/fence", fence) for fence in FENCES), ("gateway", GATEWAY_UNIT)):
            if any(part in path for path in changed) and show_units(unit)[0].load == "loaded":
                control("reload-or-restart", unit)
        for service in known["services"]:
            with suppress(SystemdError):
                control("reset-failed", service)
        if known["services"]:
            control("start", *known["services"])
        return switched or bool(changed)

    def close(self, kept: int) -> bool:
        """Forget that a point is open, and keep the newest ones; tell whether one was open."""
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.directory, OPEN_POINT))
            was_open = True
            for path in sorted(glob.glob(os.path.join(glob.escape(self.directory), "[0-9]*Z")))[: -kept or None]:
                shutil.rmtree(path)
            return was_open
        return False

    def _files(self) -> list[str]:
        """Return those of the files that are there."""
        places = (os.path.join(glob.escape(self._base(pattern)), pattern.lstrip("/")) for pattern in POINT_FILES)
        return sorted(path for place in places for path in glob.glob(place))

    def _base(self, pattern: str) -> str:
        return self.root if pattern.startswith("/") else self.home

    def _is_switched(self, known: t.Mapping[str, t.Any]) -> bool:
        return self.releases.current != known["release"]

    def _changed_files(self, known: t.Mapping[str, t.Any]) -> list[str]:
        """Return the files that are other ones now, are gone, or were not there."""
        point = self.open or ""

        def same(path: str) -> bool:
            entry = known["files"].get(path)
            return entry is not None and _read(path) == _read(os.path.join(point, entry["copy"]))

        return sorted(path for path in {*known["files"], *self._files()} if not same(path))

    def _restore_file(self, path: str, entry: t.Mapping[str, t.Any] | None) -> None:
        if entry is None:
            guarded.remove(path)
            return
        if guarded.status(os.path.dirname(path)) is None:
            os.makedirs(os.path.dirname(path), 0o755)
        _put(os.path.join(self.open or "", entry["copy"]), path, entry)

    def _keep_database(self, work: str) -> dict[str, t.Any] | None:
        source = os.path.join(self.home, DATABASE)
        found = guarded.status(source)
        if found is None:
            return None  # a host of SuperNodes
        snapshot(source, os.path.join(work, os.path.basename(DATABASE)))
        os.chmod(os.path.join(work, os.path.basename(DATABASE)), 0o600)
        return _entry(found, os.path.basename(DATABASE))

    def _restore_database(self, entry: t.Mapping[str, t.Any]) -> None:
        copy, target = os.path.join(self.open or "", entry["copy"]), os.path.join(self.home, DATABASE)
        check_database(copy, copy)
        # What is in the log belongs to the database that goes.
        for ending in ("-wal", "-shm"):
            guarded.remove(target + ending)
        _put(copy, target, entry)


def _keep(path: str, work: str, name: str) -> dict[str, t.Any]:
    with guarded.regular_file(path) as source:
        found = os.fstat(source.fileno())
        guarded.write_bytes(os.path.join(work, name), source.read(guarded.RECORD_LIMIT), 0o600)
    return _entry(found, name)


def _entry(found: os.stat_result, copy: str) -> dict[str, t.Any]:
    return {"copy": copy, "mode": stat.S_IMODE(found.st_mode) & 0o777, "uid": found.st_uid, "gid": found.st_gid}


def _put(copy: str, target: str, entry: t.Mapping[str, t.Any]) -> None:
    """Bring a file back, so that a reader finds the one before or this one, whole."""
    owners = entry["uid"], entry["gid"]
    with open(copy, "rb") as source, guarded.replacing(target, entry["mode"], owners) as stream:
        shutil.copyfileobj(source, stream)


def _read(path: str) -> bytes | None:
    """Return what is in a file: a small one, and a regular one."""
    try:
        return guarded.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
