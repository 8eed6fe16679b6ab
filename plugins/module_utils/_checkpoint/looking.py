# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at checkpoints as the account that they belong to, so that nothing it plants leads root anywhere.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import stat
import typing as t

from .._base import identity
from .._base.errors import NotDeployedError
from .manifest import UnreadableError

_Found = t.TypeVar("_Found")


def read_as_owner(path: str, read: t.Callable[[bool], _Found]) -> _Found:
    """Look at a directory as the account; as whoever we are where it is closed to the account, as a backup is.

    C(read) is told whether it is to be strict: what a storage does not give is then an error, and else left out.
    """
    try:
        with identity.as_checkpoint_owner():
            return read(True)
    except NotDeployedError:
        return read(False)  # a controller, which has no such account
    except UnreadableError:
        if is_our_own(path):
            return read(False)
        with identity.as_checkpoint_owner():
            return read(False)


def is_our_own(path: str) -> bool:
    """Tell whether a directory is written by nobody but whoever we are."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not others_write
