# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases of an environment side by side, and the link that says which one is in use.

A release is built in its final place, since its programs name their interpreter by its whole path. Its marker, a copy
of the lock, is written last: a release without it was cut short and is never used.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import typing as t

from .lockfile import pins

RELEASE_MARKER = "fedops-requirements.txt"
DIRECTORY = "releases"  # beside the link
KEPT = 2  # of them, where nothing else is asked: the one in use, and the one that an upgrade goes back to
MOVED = "-moved"  # an environment from before there were releases


def release_name(version: str | None, checksum: str, python: str) -> str:
    """Name what a lock gives with an interpreter: the version of Flower, and what tells it from all others."""
    digest = hashlib.sha256(f"{checksum} {python}".encode()).hexdigest()
    return f"flwr-{version}-{digest[:8]}" if version else f"venv-{digest[:8]}"


def version_of(release: str | None) -> str | None:
    """Return the version of Flower that a release has in its name."""
    match = re.fullmatch(rf"flwr-(.+?)-[0-9a-f]{{8}}(?:{MOVED})?", release or "")
    return match[1] if match else None


class Releases:
    """The releases beside a link such as C(/opt/flower/venv)."""

    def __init__(self, link: str) -> None:
        self.link = link.rstrip("/")
        self.directory = os.path.join(os.path.dirname(self.link), DIRECTORY)

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def is_built(self, name: str) -> bool:
        return os.path.exists(os.path.join(self.path(name), RELEASE_MARKER))

    @property
    def current(self) -> str | None:
        """The release in use; None when there is none, or an environment from before there were releases."""
        try:
            folder, name = os.path.split(os.readlink(self.link))
        except OSError:
            return None
        here = os.path.join(os.path.dirname(self.link), folder)
        return name if os.path.realpath(here) == os.path.realpath(self.directory) and self.is_built(name) else None

    def names(self) -> list[str]:
        """Return the names of all that is in place of a release, those that were in use last first."""
        try:
            found = os.listdir(self.directory)
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda name: (-self._used(name), name))

    def make_room(self, name: str) -> str:
        """Return the path of a release that is to be built, with nothing there."""
        os.makedirs(self.directory, 0o755, exist_ok=True)
        os.chmod(self.directory, 0o755)
        _remove(self.path(name))
        return self.path(name)

    def switch(self, name: str) -> None:
        """Have the link lead to a release. A process finds the one before or this one, and nothing in between."""
        if not self.is_built(name):
            raise ValueError(f"{self.path(name)} is not a whole release.")
        self.adopt()
        if (before := self.current) is not None:
            os.utime(os.path.join(self.path(before), RELEASE_MARKER))
        os.utime(os.path.join(self.path(name), RELEASE_MARKER))
        self._lead_to(name)

    def adopt(self) -> None:
        """Make a release of an environment in the place of the link. It was built for that, and works through it."""
        if os.path.islink(self.link) or not os.path.isdir(self.link):
            return
        lock = _lock_of(self.link)
        version = pins(lock.decode(errors="replace")).get("flwr") if lock else None
        name = release_name(version, hashlib.sha256(lock or b"").hexdigest(), "") + MOVED
        os.rename(self.link, self.make_room(name))
        if lock is not None:
            self._lead_to(name)

    def surplus(self, name: str, kept: int, keep: t.Collection[str] = ()) -> list[str]:
        """Return what is to go when a release is in use: those that were in use longest ago, and what was cut short."""
        others = [other for other in self.names() if other != name]
        whole = [other for other in others if self.is_built(other)]
        staying = {*whole[: max(kept - 1, 0)], *(other for other in whole if other in keep)}
        return [other for other in others if other not in staying]

    def remove(self, names: t.Iterable[str]) -> None:
        for name in names:
            marker = os.path.join(self.path(name), RELEASE_MARKER)
            if os.path.exists(marker):
                os.unlink(marker)  # first: what is cut short here is no release
            _remove(self.path(name))

    def _lead_to(self, name: str) -> None:
        new = f"{self.link}.new"
        _remove(new)
        os.symlink(os.path.join(DIRECTORY, name), new)
        os.replace(new, self.link)

    def _used(self, name: str) -> float:
        try:
            return os.stat(os.path.join(self.path(name), RELEASE_MARKER)).st_mtime
        except OSError:
            return 0.0


def _lock_of(path: str) -> bytes | None:
    """Return the lock that an environment was built from, None when it is not whole."""
    try:
        with open(os.path.join(path, RELEASE_MARKER), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _remove(path: str) -> None:
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
    elif os.path.isdir(path):
        shutil.rmtree(path)
