# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The directories and secrets of a host, each of which belongs to one account.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import stat
import typing as t

from . import guarded
from .accounts import end_processes_of
from .ownership import hand_over


class OwnedDirectory:
    """A directory as wanted."""

    def __init__(self, path: str, owner: int, group: int, mode: str) -> None:
        self.path, self.owners, self.mode = path, (owner, group), int(mode, 8)
        self.found = guarded.status(path)
        if self.found is not None and stat.S_ISLNK(self.found.st_mode):
            with guarded.directory(path) as descriptor:  # which refuses it unless root alone could have made it
                self.path, self.found = os.path.realpath(path), os.fstat(descriptor)

    @property
    def is_in_place(self) -> bool:
        found = self.found
        if found is None or not stat.S_ISDIR(found.st_mode):
            return False
        return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (self.mode, *self.owners)

    def belongs_to(self, users: set[int]) -> bool:
        """Tell whether another one of these users owns it."""
        return self.found is not None and self.found.st_uid in users - {guarded.ROOT, self.owners[0]}

    def make(self, migrate: bool) -> None:
        if migrate and self.found is not None:
            hand_over(self.path, [self.found.st_uid], self.owners)
        guarded.make_directory(self.path, self.mode, self.owners)


def make_directories(
    home: str, directories: t.Sequence[t.Mapping[str, t.Any]], users: set[int], migrate: bool, check_mode: bool
) -> tuple[list[str], list[str]]:
    """Make the home and directories in it; return what was changed, and what is left to an account that had it before.

    A directory is given as the module C(account) takes it; C(users) are the numbers of all accounts.
    """
    made: list[str] = []
    old: list[str] = []
    if not check_mode:
        os.makedirs(os.path.dirname(home), 0o755, exist_ok=True)
    for item in [{"path": home, "owner": 0, "group": 0, "mode": "0755"}, *directories]:
        directory = OwnedDirectory(os.path.join(home, item["path"]), item["owner"], item["group"], item["mode"])
        is_old = directory.belongs_to(users)
        if is_old and not migrate:
            old.append(directory.path)
        elif directory.path.startswith(tuple(f"{path}/" for path in old)):
            continue  # it comes with what is above it
        elif not directory.is_in_place:
            made.append(f"directory {directory.path}")
            if not check_mode:
                if is_old and directory.found is not None:
                    end_processes_of([directory.found.st_uid])
                directory.make(is_old)
    return made, old


def make_secret(path: str, check_mode: bool) -> bool:
    """Make a secret that is not there, and have it belong to root alone; tell whether that changed anything."""
    found = guarded.status(path)
    if found is None:
        if not check_mode:
            guarded.write_bytes(path, os.urandom(32), 0o600, (0, 0))
        return True
    with guarded.regular_file(path, owners=[guarded.ROOT]) as stream:
        if (stat.S_IMODE(found.st_mode), found.st_gid) == (0o600, 0):
            return False
        if not check_mode:
            os.fchown(stream.fileno(), 0, 0)
            os.fchmod(stream.fileno(), 0o600)
    return True
