# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory in which nobody can write: what lies below a mount that is missing.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct

_GET_FLAGS, _SET_FLAGS, _IMMUTABLE = 0x80086601, 0x40086602, 0x10  # of linux/fs.h


def is_guarded(path: str) -> bool:
    """Tell whether a directory is closed to everybody, also to root where its file system can do that."""
    found = os.lstat(path)
    if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (0, 0, 0):
        return False
    flags = _flags(path)
    return flags is None or bool(flags & _IMMUTABLE)


def guard(path: str) -> None:
    """Make a directory and close it to everybody."""
    if os.path.isdir(path):
        release(path)
    os.makedirs(path, 0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchown(descriptor, 0, 0)
        os.fchmod(descriptor, 0)
    finally:
        os.close(descriptor)
    _flags(path, add=_IMMUTABLE)


def release(path: str) -> None:
    """Let root change a directory again."""
    _flags(path, remove=_IMMUTABLE)


def _flags(path: str, add: int = 0, remove: int = 0) -> int | None:
    """Change a directory's flags and return them; None when its file system has none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        (known,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, struct.pack("l", 0)))
        wanted = (known | add) & ~remove
        if wanted != known:
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", wanted))
        return wanted
    except OSError:
        return None
    finally:
        os.close(descriptor)
