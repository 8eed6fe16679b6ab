# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account does in directories of its own: make those that are missing, and remove one.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import errno
import os
import stat
import typing as t

from .._base import guarded

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def descend(descriptor: int, names: t.Sequence[str], uid: int, mode: int, check_mode: bool) -> dict[str, str]:
    """Make the directories that are missing, without following a link; say what was done, or what is wrong."""
    what = ""
    here = os.open(".", _OPEN, dir_fd=descriptor)
    for number, name in enumerate(names):
        last = number == len(names) - 1
        try:
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
        except FileNotFoundError:
            what = "directory"
            if check_mode:
                break
            os.mkdir(name, 0o700, dir_fd=here)
            found = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            return {
                "what": "",
                "problem": f"{name}, on the way to {{}}, is a link or a file. Give the path of a directory.",
            }
        if found.st_uid != uid:
            return {"what": "", "problem": f"{name}, on the way to {{}}, belongs to the user {found.st_uid}."}
        below = os.open(name, _OPEN, dir_fd=here)
        os.close(here)
        here = below
        if (last or what) and stat.S_IMODE(os.fstat(here).st_mode) != mode:
            what = what or "owner and mode of"
            if not check_mode:
                os.fchmod(here, mode)
    os.close(here)
    return {"what": what, "problem": ""}


def remove(descriptor: int, names: t.Sequence[str], check_mode: bool) -> bool:
    """Remove the last of the directories, without following a link; tell whether there was one."""
    here = os.open(".", _OPEN, dir_fd=descriptor)
    for name in names[:-1]:
        try:
            below = os.open(name, _OPEN, dir_fd=here)
        except FileNotFoundError:
            return False
        os.close(here)
        here = below
    try:
        found = os.stat(names[-1], dir_fd=here, follow_symlinks=False)
    except FileNotFoundError:
        return False
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    if not check_mode:
        guarded.remove_tree_in(here, names[-1], names[-1])
    return True
