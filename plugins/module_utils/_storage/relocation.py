# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing the files of one directory into another, and removing them only when every one of them has arrived.

Root reads, since files and folders may be its own and closed to everybody else. The account writes, since a server may
not let root do it. This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import typing as t
from contextlib import contextmanager, suppress

from .._base.reading import pieces
from .probe import StepError, as_user, sync

_PARTIAL = ".partial"
_CHUNK = 1 << 20
_NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class Source:
    """A directory to be brought; what cannot be read in it raises StepError with its path, and never looks empty."""

    def __init__(self, path: str) -> None:
        self.path = path

    def files(self) -> list[str]:
        """Return the files and links below it, but those of a lock or of a save that did not end."""
        found = []
        with _told(self.path):
            for folder, folders, names, descriptor in os.fwalk(self.path, onerror=_refuse):
                # A link to a directory stands among the directories, and is a file of ours all the same.
                links = [name for name in folders if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode)]
                found += [os.path.relpath(os.path.join(folder, name), self.path) for name in names + links]
        return sorted(name for name in found if os.path.basename(name) != ".lock" and not name.endswith(_PARTIAL))

    def link(self, name: str) -> str | None:
        """Return where a link leads, None for anything else."""
        with _told(os.path.join(self.path, name)), self._folder(name) as folder:
            last = os.path.basename(name)
            is_link = stat.S_ISLNK(os.lstat(last, dir_fd=folder).st_mode)
            return os.readlink(last, dir_fd=folder) if is_link else None

    @contextmanager
    def opened(self, name: str) -> t.Iterator[t.BinaryIO]:
        """Open a regular file."""
        with _told(os.path.join(self.path, name)), self._folder(name) as folder:
            descriptor = os.open(os.path.basename(name), _NO_LINK, dir_fd=folder)
        with open(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise StepError(os.path.join(self.path, name), errno.EOPNOTSUPP)
            if found.st_nlink > 1 and found.st_uid != self._owner:
                raise StepError(os.path.join(self.path, name), errno.EMLINK)  # it may be a file of somebody else's
            yield stream

    @property
    def _owner(self) -> int:
        return os.stat(self.path, follow_symlinks=False).st_uid

    @contextmanager
    def _folder(self, name: str) -> t.Iterator[int]:
        # One after the other: the account may put a link in the place of its folders, and root would follow it.
        descriptor = os.open(self.path, _NO_LINK | os.O_DIRECTORY)
        try:
            for part in name.split("/")[:-1]:
                below = os.open(part, _NO_LINK | os.O_DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


class Target:
    """Where files are brought to, as an account."""

    def __init__(self, path: str, uid: int, gid: int) -> None:
        self.path, self.uid, self.gid = path, uid, gid

    def lacks(self, name: str) -> bool:
        return self._do(name, lambda path: not os.path.lexists(path))

    def has(self, source: Source, name: str) -> bool:
        """Tell whether it has the very same file or link."""
        if (link := source.link(name)) is not None:
            return self._do(name, lambda path: os.path.islink(path) and os.readlink(path) == link)
        with source.opened(name) as stream:
            return self._do(name, lambda path: _holds(path, stream))

    def take(self, source: Source, name: str) -> None:
        """Make the file whole or not at all."""
        if (link := source.link(name)) is not None:
            self._do(name, lambda path: _arrive(path, lambda partial: os.symlink(link, partial)))
            return
        with source.opened(name) as stream:
            self._do(name, lambda path: _arrive(path, lambda partial: _copy(stream, partial)))

    def _do(self, name: str, work: t.Callable[[str], t.Any]) -> t.Any:
        path = os.path.join(self.path, name)
        try:
            return as_user(self.uid, self.gid, lambda: work(path))
        except StepError as error:
            raise StepError(path, error.number) from None


def conflicts(source: Source, target: Target) -> list[str]:
    """Return the files that the target has as well, with other contents. Reads every file that it has."""
    return [name for name in source.files() if not target.lacks(name) and not target.has(source, name)]


def bring(source: Source, target: Target) -> list[str]:
    """Copy the files that are not there yet; return their names."""
    brought = [name for name in source.files() if target.lacks(name)]
    for name in brought:
        target.take(source, name)
    return brought


def remove(source: Source, target: Target) -> None:
    """Remove a directory of which everything has arrived."""
    for name in source.files():
        if target.lacks(name):
            raise StepError(os.path.join(source.path, name), errno.ENOTEMPTY)
    shutil.rmtree(source.path)


def _arrive(path: str, make: t.Callable[[str], t.Any]) -> None:
    os.makedirs(os.path.dirname(path), 0o750, exist_ok=True)
    with suppress(FileNotFoundError):
        os.unlink(path + _PARTIAL)
    make(path + _PARTIAL)
    os.rename(path + _PARTIAL, path)
    sync(os.path.dirname(path))


def _copy(stream: t.BinaryIO, path: str) -> None:
    found = os.fstat(stream.fileno())
    with open(path, "xb") as copy:
        copy.writelines(pieces(stream, found.st_size))
        copy.flush()
        os.fchmod(copy.fileno(), stat.S_IMODE(found.st_mode) & 0o777 | 0o600)
        os.utime(copy.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(copy.fileno())


def _holds(path: str, stream: t.BinaryIO) -> bool:
    if not stat.S_ISREG(os.lstat(path).st_mode):
        return False
    with open(path, "rb") as there:
        while True:
            chunk = stream.read(_CHUNK)
            if chunk != there.read(_CHUNK):
                return False
            if not chunk:
                return True


@contextmanager
def _told(path: str) -> t.Iterator[None]:
    try:
        yield
    except OSError as error:
        known = error.filename if isinstance(error.filename, str) and os.path.isabs(error.filename) else path
        raise StepError(known, error.errno or errno.EIO) from None


def _refuse(error: OSError) -> t.NoReturn:
    raise error
