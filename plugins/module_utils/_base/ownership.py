# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving files and directories of one account to another, without following any link.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import stat
import typing as t

from .guarded import DEEPER_THAN_OURS, DEEPEST, OPEN_DIRECTORY, OPEN_FILE, UnsafeFileError, directory

_MINE = 0o755  # what stays of a mode when a file changes hands


def hand_over(path: str, before: t.Collection[int], owners: tuple[int, int]) -> int:
    """Give what belongs to the users C(before) in a directory, itself included, to others; tell how much that was.

    Links, and files that have another name somewhere else, stay as they are: they may be anybody's. What is handed over
    can be written by its new owner alone. Whoever has it open already can still do so: end those processes before.
    """
    with directory(path) as descriptor:
        try:
            return _hand_over(descriptor, before, owners, DEEPEST)
        except RecursionError:
            raise UnsafeFileError(path, DEEPER_THAN_OURS) from None


def _hand_over(descriptor: int, before: t.Collection[int], owners: tuple[int, int], depth: int) -> int:
    if depth == 0:
        raise RecursionError
    count = 0
    for name in os.listdir(descriptor):
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            below = os.open(name, OPEN_DIRECTORY, dir_fd=descriptor)
            try:
                count += _hand_over(below, before, owners, depth - 1)
            finally:
                os.close(below)
        elif stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid in before:
            file = os.open(name, OPEN_FILE, dir_fd=descriptor)
            try:
                found = os.fstat(file)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid in before:
                    os.fchown(file, *owners)
                    os.fchmod(file, stat.S_IMODE(found.st_mode) & _MINE)
                    count += 1
            finally:
                os.close(file)
    found = os.fstat(descriptor)
    if found.st_uid in before:
        os.fchown(descriptor, *owners)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & _MINE)
        count += 1
    return count
