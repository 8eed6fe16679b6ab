# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having small text files and directories as they should be, below directories that belong to root.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from .guarded import ROOT, write_bytes


@dataclass(frozen=True)
class File:
    """A file as wanted."""

    path: str
    text: str
    mode: int = 0o644
    uid: int = ROOT
    gid: int = ROOT

    @property
    def found(self) -> str | None:
        """The text that is there; None when there is none."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except FileNotFoundError:
            return None

    @property
    def is_in_place(self) -> bool:
        return self.found == self.text and has_attributes(self.path, self.mode, self.uid, self.gid)

    def write(self) -> None:
        """Write it, so that a reader sees the old file or the new one, whole."""
        write_bytes(self.path, self.text.encode(), self.mode, (self.uid, self.gid))


@dataclass(frozen=True)
class Directory:
    """A directory as wanted."""

    path: str
    mode: int = 0o755
    uid: int = ROOT
    gid: int = ROOT

    @property
    def is_in_place(self) -> bool:
        return os.path.isdir(self.path) and has_attributes(self.path, self.mode, self.uid, self.gid)

    def make(self) -> None:
        os.makedirs(self.path, 0o700, exist_ok=True)
        set_attributes(self.path, self.mode, self.uid, self.gid)


def has_attributes(path: str, mode: int, uid: int, gid: int) -> bool:
    """Tell whether a file has exactly this mode and these owners."""
    found = os.stat(path)
    return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, uid, gid)


def set_attributes(path: str, mode: int, uid: int, gid: int) -> None:
    """Give a file its owners and mode; the owners first, since giving away may drop bits of the mode."""
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def remove_empty(path: str) -> None:
    """Remove a directory when there is nothing in it."""
    if os.path.isdir(path) and not os.listdir(path):
        os.rmdir(path)


def nearest(path: str) -> str:
    """Return a directory, or the nearest one above it that exists."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
