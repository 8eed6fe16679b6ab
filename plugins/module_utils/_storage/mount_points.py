# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory that can only be mounted on: making it, and taking it away.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .backends import ASIDE, Mount, StorageError, mounted_at, stray_problem
from .ground import Ground, all_mounts
from .mount_guard import guard, is_guarded, release
from .places import foreign_problem, strangers


@dataclass(frozen=True)
class MountPoint:
    """A mount point as it is asked for."""

    path: str
    home: str
    uid: int
    gid: int
    existing: str = "stop"  # what is done about files that lie there: stop, or move

    def present(self, source: str | None, check_mode: bool) -> list[str]:
        """Make it, unless what is wanted is mounted there; return what was done."""
        if mounted := self._mounted():
            self._expect(mounted, source)
            return []
        self._ground.found()  # no link, and no file
        changes = self._put_aside(check_mode)
        if changes or not os.path.isdir(self.path) or not is_guarded(self.path):
            changes.append(f"{self.path} closed to everybody while nothing is mounted there")
            if not check_mode:
                guard(self.path)
        return changes

    def absent(self, check_mode: bool) -> list[str]:
        """Remove it, once nothing is mounted there; return what was done."""
        if mounted := self._mounted():
            raise StorageError(f"{self.path} cannot be removed: {mounted.source} is mounted there. Unmount it first.")
        if not os.path.isdir(self.path):
            return []
        if not check_mode:
            release(self.path)
            os.rmdir(self.path)
        return [f"{self.path} removed"]

    @property
    def aside(self) -> str | None:
        """The directory with the files that were put aside, now or earlier."""
        return self.path + ASIDE if os.path.isdir(self.path + ASIDE) else None

    @property
    def _ground(self) -> Ground:
        return Ground(self.path, self.uid, self.gid, self.home, mounted=True)

    def _mounted(self) -> Mount | None:
        """Return what is mounted there. Where nothing is, refuse a path that others than root could lead elsewhere."""
        self._ground.refuse_others()
        mounted = mounted_at(all_mounts(), self.path)
        if not mounted and (place := self._ground.territory()):
            raise StorageError(
                f"{self.path} cannot be a mount point: {place}, on the way to it, belongs to the user {self.uid}."
                " Choose a directory below those of root."
            )
        return mounted

    def _expect(self, mounted: Mount, source: str | None) -> None:
        """Refuse a mount of something else."""
        if source and os.path.realpath(source.rstrip("/")) != os.path.realpath(mounted.source.rstrip("/")):
            raise StorageError(
                f"{self.path} is to have {source} mounted, but {mounted.source} is mounted there. Stop flower-superexec"
                f" and flower-checkpoints.timer, unmount it (umount {self.path}), take it out of /etc/fstab, then run"
                " again."
            )

    def _put_aside(self, check_mode: bool) -> list[str]:
        """Deal with the files in the directory; return what was done."""
        path, aside = self.path, self.path + ASIDE
        names = os.listdir(path) if os.path.isdir(path) else []
        names = [name for name in names if name not in (".lock", "lost+found")]
        if not names:
            return []
        if self.existing == "stop":
            raise StorageError(stray_problem(path, names))
        if found := strangers(path, self.uid):
            raise StorageError(foreign_problem(path, found, self.uid, self.gid))
        if os.path.lexists(aside):
            raise StorageError(f"{aside} is in the way of the files in {path}. Bring both together, then run again.")
        if not check_mode:
            os.rename(path, aside)
        return [f"{path} renamed to {aside}"]
