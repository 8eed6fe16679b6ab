# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory for checkpoints stands on: nobody but root, or the account itself, may lead its path elsewhere.

Every directory on the way is looked at by itself, and no link is followed. What root makes or gives away lies where
root alone writes; below a directory of the account the account makes its own.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from .._base import guarded
from .._base.guarded import ROOT
from .._base.home import HOME
from .backends import Mount, StorageError, mounted_at, mounts, other_paths
from .mount_guard import is_guarded, release
from .own_steps import descend, remove
from .places import directory_problems, foreign_problem, strangers
from .probe import StepError, as_user

ANCHOR = "/"  # where every way begins
MOUNTS = "/proc/self/mountinfo"
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ACCESS_LIST = "system.posix_acl_access"


@dataclass(frozen=True)
class Ground:
    """A directory that is asked for, and the account that is to have it."""

    path: str
    uid: int
    gid: int
    home: str = HOME
    mounted: bool = False  # whether something of our own is to be mounted there

    @property
    def mount(self) -> Mount | None:
        """Return what of our own is mounted on exactly this directory."""
        return mounted_at(all_mounts(), self.path) if self.mounted else None

    def refuse_others(self) -> None:
        """Raise StorageError when the path, or another name of the same directory, is no place for checkpoints."""
        # The mount's own place is judged by its name; where else its file system is mounted, only a part of it is ours.
        others = [] if self.mount else other_paths(all_mounts(), self.path)
        for path in (self.path, *others):
            said = directory_problems(_below_anchor(path), self.home, self.mounted)
            if said:
                reason = said[0] if path == self.path else f"{self.path} leads to {path}. {said[0]}"
                raise StorageError(reason)

    def territory(self) -> str | None:
        """Return the topmost directory above that belongs to the account, None when all of them are root's.

        Anybody else's, and those that others can write, raise StorageError: they could put a link in the place of what
        was looked at.
        """
        with _Walk(self.path) as walk:
            for name in walk.above:
                found = walk.enter(name)
                if found is None:
                    return None
                if found.st_uid == self.uid:
                    return walk.place
                _expect_roots(found, walk.place, self.path)
        return None

    def found(self) -> os.stat_result | None:
        """Return what is there; None when nothing is."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise StorageError(_link_problem(self.path, self.path))
        if not stat.S_ISDIR(found.st_mode):
            raise StorageError(f"{self.path} is no directory.")
        return found

    def have(self, mode: int, adopt: bool = False, check_mode: bool = False) -> list[str]:
        """Have the directory as the account's own; return what was done."""
        self.refuse_others()
        place = self.territory()
        if place is not None:
            return self._have_as_account(place, mode, check_mode)
        found = self.found()
        if found is None:
            if not check_mode:
                self._make(mode)
            return [f"directory {self.path}"]
        wanted, before = (self.uid, self.gid, mode), _facts(found)
        if before == wanted:
            return []
        self._refuse_to_take(found, adopt)
        if not check_mode:
            if is_guarded(self.path):
                release(self.path)  # it was a mount point, and is to hold the checkpoints itself now
            try:
                _set(self.path, self.uid, self.gid, mode)
            except PermissionError:
                # A server that does not let root do this may let the owner. If not, the proof tells if it matters.
                with suppress(StepError):
                    as_user(self.uid, self.gid, lambda: os.chmod(self.path, mode))
                if _facts(os.stat(self.path)) == before:
                    return []
        return [f"owner and mode of {self.path}"]

    def remove(self, check_mode: bool = False) -> list[str]:
        """Remove the directory with all that is in it, where it is the account's; return what was done."""
        self.refuse_others()
        place = self.territory()
        if place is not None:
            descriptor = os.open(place, _WALK)
            names = _parts(os.path.relpath(self.path, place))
            try:
                gone = as_user(self.uid, self.gid, lambda: remove(descriptor, names, check_mode))
            except StepError as error:
                raise StorageError(f"{self.path} cannot be removed: {os.strerror(error.number)}.") from error
            finally:
                os.close(descriptor)
            return [f"{self.path} removed"] if gone else []
        found = self.found()
        if found is None:
            return []
        self._refuse_to_take(found, adopt=False)
        if not check_mode:
            if is_guarded(self.path):
                release(self.path)
            guarded.remove_tree(self.path)
        return [f"{self.path} removed"]

    def _refuse_to_take(self, found: os.stat_result, adopt: bool) -> None:
        """Refuse to change the owner of what is somebody else's."""
        mount = self.mount
        if found.st_uid not in (self.uid, *_trusted()) and mount is None:
            raise StorageError(
                f"{self.path} belongs to the user {found.st_uid}, and is not taken from them. Choose a directory that"
                f" is not there yet, or give it away (chown {self.uid}:{self.gid} {self.path}), then run again."
            )
        if adopt and mount is not None:
            return
        if others := strangers(self.path, self.uid):
            raise StorageError(foreign_problem(self.path, others, self.uid, self.gid))

    def _make(self, mode: int) -> None:
        """Make it, and what is missing above, where root alone can write."""
        path = ANCHOR
        for name in _parts(os.path.dirname(self.path)):
            path = os.path.join(path, name)
            with suppress(FileExistsError):
                os.mkdir(path, 0o755)
                os.chmod(path, 0o755)  # whatever the umask
        os.mkdir(self.path, 0o700)
        _set(self.path, self.uid, self.gid, mode)

    def _have_as_account(self, place: str, mode: int, check_mode: bool) -> list[str]:
        """Have the account make its own directory, below one that it owns already."""
        descriptor = os.open(place, _WALK)
        names = _parts(os.path.relpath(self.path, place))
        try:
            said = as_user(self.uid, self.gid, lambda: descend(descriptor, names, self.uid, mode, check_mode))
        except StepError as error:
            raise StorageError(f"{self.path} cannot be made: {os.strerror(error.number)}.") from error
        finally:
            os.close(descriptor)
        if said["problem"]:
            raise StorageError(said["problem"].replace("{}", self.path))
        return [f"{said['what']} {self.path}"] if said["what"] else []


def all_mounts() -> list[Mount]:
    """Return what is mounted."""
    with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as stream:
        return mounts(stream.read())


def expect_roots_way(path: str) -> None:
    """Raise StorageError unless root alone could lead a path elsewhere."""
    place = Ground(path, -1, -1).territory()
    if place is not None:  # there is no such user
        raise StorageError(f"{place} does not belong to root.")


class _Walk:
    """A way down from the anchor, directory by directory."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.above = _parts(os.path.dirname(path))
        self.place = ANCHOR
        self._descriptor = -1

    def __enter__(self) -> _Walk:
        self._descriptor = os.open(ANCHOR, _WALK)
        return self

    def __exit__(self, *dummy: object) -> None:
        os.close(self._descriptor)

    def enter(self, name: str) -> os.stat_result | None:
        """Go one directory down and return what it is; None when it is not there."""
        self.place = os.path.join(self.place, name)
        try:
            found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise StorageError(_link_problem(self.path, self.place))
        if not stat.S_ISDIR(found.st_mode):
            raise StorageError(f"{self.place}, on the way to {self.path}, is no directory.")
        below = os.open(name, _WALK, dir_fd=self._descriptor)
        os.close(self._descriptor)
        self._descriptor = below
        return os.fstat(below)


def _expect_roots(found: os.stat_result, place: str, path: str) -> None:
    if found.st_uid not in _trusted():
        raise StorageError(
            f"{place}, on the way to {path}, belongs to the user {found.st_uid}, who could put something else there."
            " Choose a directory below those of root."
        )
    by_group = found.st_mode & stat.S_IWGRP and (found.st_gid != ROOT or _has_access_list(place))
    if by_group or found.st_mode & stat.S_IWOTH:
        raise StorageError(
            f"{place}, on the way to {path}, can be written by others than root, who could put something else there."
            f" Take that from them (chmod go-w {place}), or choose another directory."
        )


def _has_access_list(place: str) -> bool:
    with suppress(OSError):
        return bool(os.getxattr(place, _ACCESS_LIST, follow_symlinks=False))
    return False


def _link_problem(path: str, link: str) -> str:
    on_the_way = "" if link == path else f", on the way to {path},"
    return f"{link}{on_the_way} is a link to {os.readlink(link)!r}. Give the path that it leads to."


def _parts(path: str) -> list[str]:
    relative = os.path.relpath(path, ANCHOR) if os.path.isabs(path) else path
    return [part for part in relative.split("/") if part != "."]


def _below_anchor(path: str) -> str:
    return path[len(ANCHOR.rstrip("/")) :] if path.startswith(ANCHOR.rstrip("/") + "/") else path


def _trusted() -> tuple[int, int]:
    return ROOT, os.geteuid()


def _facts(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def _set(path: str, uid: int, gid: int, mode: int) -> None:
    """Give a directory away whose parents are root's; the mode last, since giving away may drop bits of it."""
    os.chown(path, uid, gid, follow_symlinks=False)
    os.chmod(path, mode)
