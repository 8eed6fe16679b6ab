# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root does with files below directories that other accounts can write, without being led anywhere.

Every directory on the way is opened by itself, from the root of the file system, and no link is followed but one that
root alone could have made. A file is read when it is a regular one of an expected owner and a bounded size; it is
written as a new one that takes the name of the old.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import typing as t
from contextlib import contextmanager, suppress

ROOT = 0
RECORD_LIMIT = 16 << 20  # bytes; far more than any record of ours
_MOST_LINKS = 40  # as the kernel allows on one path
OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PASS = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC  # needs no right to list what is there
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
DEEPEST = 100  # directories below one another; each takes a descriptor
DEEPER_THAN_OURS = "has directories deeper than any of ours"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Owners = t.Optional[t.Collection[int]]  # user ids that are expected; None: whoever


class UnsafeFileError(OSError):
    """A path leads elsewhere, or what lies there is not what it should be; nothing was touched."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(errno.EPERM, reason, path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.filename} {self.reason}"


def us() -> tuple[int, int]:
    """Return who we are, as the owners of a file or directory."""
    return os.geteuid(), os.getegid()


@contextmanager
def directory(path: str) -> t.Iterator[int]:
    """Open a directory and give its descriptor; every link on the way must be one that root alone could have made."""
    descriptor = _walk(os.path.abspath(path))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def regular_file(path: str, limit: int | None = RECORD_LIMIT, owners: Owners = None) -> t.Iterator[t.IO[bytes]]:
    """Open a regular file to read it: no link, device or pipe, of an expected owner, with C(limit) bytes at most.

    A file that grows while it is read still gives C(read_bytes) no more than that.
    """
    with directory(os.path.dirname(os.path.abspath(path))) as parent:
        try:
            descriptor = os.open(os.path.basename(path), OPEN_FILE, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK):
                raise UnsafeFileError(path, "is a link, and is not followed") from None
            if error.errno == errno.ENXIO:
                raise UnsafeFileError(path, "is no regular file") from None
            error.filename = path
            raise
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise UnsafeFileError(path, "is no regular file")
        if owners is not None and found.st_uid not in owners:
            raise UnsafeFileError(path, f"belongs to the user {found.st_uid}, which must not write it")
        if limit is not None and found.st_size > limit:
            raise UnsafeFileError(path, f"has {found.st_size} bytes, but at most {limit} are read")
    except BaseException:
        os.close(descriptor)
        raise
    with open(descriptor, "rb") as stream:
        yield stream


def read_bytes(path: str, limit: int = RECORD_LIMIT, owners: Owners = None) -> bytes:
    """Return what is in a regular file."""
    with regular_file(path, limit, owners) as stream:
        return stream.read(limit)


def names(path: str) -> list[str]:
    """Return what lies in a directory, in order."""
    with directory(path) as descriptor:
        return sorted(os.listdir(descriptor))


def status(path: str) -> os.stat_result | None:
    """Return what lies at a path, a link for itself; None when nothing does."""
    try:
        with directory(os.path.dirname(os.path.abspath(path))) as parent:
            return os.stat(os.path.basename(path), dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextmanager
def replacing(path: str, mode: int, owners: tuple[int, int] | None = None) -> t.Iterator[t.IO[bytes]]:
    """Give a stream; what is written to it takes the place of a file, whole, when all went well, and else nothing does.

    The owners are user and group; without them the file belongs to whoever writes it.
    """
    name = os.path.basename(path)
    with directory(os.path.dirname(os.path.abspath(path))) as parent:
        temporary = f".{name[:200]}.{secrets.token_hex(8)}.tmp"
        descriptor = os.open(temporary, _CREATE, 0o600, dir_fd=parent)
        try:
            with open(descriptor, "wb") as stream:
                if owners is not None:
                    os.fchown(descriptor, *owners)  # first: giving away may drop bits of the mode
                os.fchmod(descriptor, mode)
                yield stream
                stream.flush()
                os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            os.fsync(parent)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=parent)
            raise


def write_bytes(path: str, content: bytes, mode: int, owners: tuple[int, int] | None = None) -> None:
    """Write a file, so that a reader sees the old one or the new one, whole."""
    with replacing(path, mode, owners) as stream:
        stream.write(content)


@contextmanager
def locked(path: str, mode: int = 0o600, wait: bool = True) -> t.Iterator[bool]:
    """Hold the lock of a file of our own, which is made where there is none; give whether we have it."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with directory(os.path.dirname(os.path.abspath(path))) as parent:
        try:
            descriptor = os.open(os.path.basename(path), flags, mode, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
                raise UnsafeFileError(path, "is a link or a pipe, and no lock") from None
            error.filename = path
            raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsafeFileError(path, "is no regular file, and no lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def make_directory(path: str, mode: int, owners: tuple[int, int], ours: t.Collection[int] = (ROOT,)) -> bool:
    """Have a directory with its owners and mode; tell whether that changed anything.

    One that is there is changed only when it belongs to one of C(ours) or to its owner already. The directories above
    it must exist.
    """
    with directory(os.path.dirname(os.path.abspath(path))) as parent:
        name, made = os.path.basename(os.path.abspath(path)), False
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
            made = True
        try:
            descriptor = os.open(name, OPEN_DIRECTORY, dir_fd=parent)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                raise UnsafeFileError(path, "is no directory, or a link to one") from None
            raise
        try:
            found = os.fstat(descriptor)
            if (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (mode, *owners):
                return made
            if found.st_uid not in (*ours, owners[0]):
                raise UnsafeFileError(path, f"belongs to the user {found.st_uid}, and is not taken from them")
            os.fchown(descriptor, *owners)
            os.fchmod(descriptor, mode)
            return True
        finally:
            os.close(descriptor)


def temporary_directory(parent: str, prefix: str, mode: int = 0o700) -> str:
    """Make a directory of a name that nobody knows; return its path."""
    path = os.path.join(os.path.abspath(parent), f"{prefix}{secrets.token_hex(8)}")
    with directory(parent) as descriptor:
        os.mkdir(os.path.basename(path), 0o700, dir_fd=descriptor)
        made = os.open(os.path.basename(path), OPEN_DIRECTORY, dir_fd=descriptor)
        try:
            os.fchmod(made, mode)
        finally:
            os.close(made)
    return path


def rename(source: str, target: str) -> None:
    """Move a file or directory to another name of the same file system."""
    source, target = os.path.abspath(source), os.path.abspath(target)
    with directory(os.path.dirname(source)) as here, directory(os.path.dirname(target)) as there:
        os.rename(os.path.basename(source), os.path.basename(target), src_dir_fd=here, dst_dir_fd=there)


def remove(path: str) -> bool:
    """Remove a file, or a link and not what it points to; tell whether there was one."""
    try:
        with directory(os.path.dirname(os.path.abspath(path))) as parent:
            os.unlink(os.path.basename(path), dir_fd=parent)
    except FileNotFoundError:
        return False
    return True


def remove_tree(path: str) -> None:
    """Remove a directory and all below it, without following any link."""
    with directory(os.path.dirname(os.path.abspath(path))) as parent, suppress(FileNotFoundError):
        remove_tree_in(parent, os.path.basename(path), path)


def remove_tree_in(parent: int, name: str, path: str) -> None:
    """Remove a directory, with all below it, of an open one; C(path) is what an error calls it."""
    try:
        shutil.rmtree(name, dir_fd=parent)
    except RecursionError:
        raise UnsafeFileError(path, f"{DEEPER_THAN_OURS}: remove it by hand (rm -rf)") from None


def _walk(path: str) -> int:
    """Open a directory component by component."""
    left, links = [part for part in path.split("/") if part], 0
    descriptor = os.open("/", _PASS if left else OPEN_DIRECTORY)
    try:
        while left:
            name = left.pop(0)
            try:
                below = os.open(name, _PASS if left else OPEN_DIRECTORY, dir_fd=descriptor)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                    error.filename = path
                    raise
                links += 1
                target = _trusted_link(descriptor, name, path)
                if links > _MOST_LINKS:
                    raise UnsafeFileError(path, "has too many links on its way") from None
                left = [part for part in target.split("/") if part not in ("", ".")] + left
                below = os.open(
                    "/" if target.startswith("/") else ".", _PASS if left else OPEN_DIRECTORY, dir_fd=descriptor
                )
            os.close(descriptor)
            descriptor = below
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _trusted_link(parent: int, name: str, path: str) -> str:
    """Return where a link leads that root alone could have made."""
    trusted = (ROOT, os.geteuid())
    found, around = os.stat(name, dir_fd=parent, follow_symlinks=False), os.fstat(parent)
    if not stat.S_ISLNK(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    others_write = around.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not around.st_mode & stat.S_ISVTX
    if found.st_uid not in trusted or around.st_uid not in trusted or others_write:
        raise UnsafeFileError(path, f"has a link on its way, {name}, that somebody else than root could have made")
    return os.readlink(name, dir_fd=parent)
