# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory is whose: one for the checkpoints of all trainings, and below it a folder for each.

The training with the default name keeps its files in the directory itself, every other one in a folder of its name.
This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t

from .._base.notation import NAME_OF_TRAINING
from .directory import list_checkpoints, list_rounds
from .manifest import UnreadableError
from .names import PREVIOUS

DEFAULT_TRAINING = "default"

# What else has a folder there, so that no training can have its name.
RESERVED: t.Mapping[str, str] = {PREVIOUS: "checkpoints that lay in the way of a training"}


def directory_of(path: str, training: str, strict: bool = False) -> str:
    """Return where a training keeps its checkpoints, given the directory for those of all trainings.

    That is C(path) itself for the training with the default name, for one whose name C(path) ends with, and for one
    that has begun there before each had a folder of its own. C(strict) is that of C(list_checkpoints).
    """
    if training == DEFAULT_TRAINING or os.path.basename(os.path.normpath(path)) == training:
        return path
    own = os.path.join(path, training)
    here, there = (_newest(place, training, strict) for place in (path, own))
    # As new in both: being moved, and the older place has all of it as long as it has the newest.
    return path if here and here >= there else own


def has_folder(training: str) -> bool:
    """Tell whether checkpoints of a training with this name may lie in a folder of that name."""
    return training not in (*RESERVED, DEFAULT_TRAINING) and re.fullmatch(NAME_OF_TRAINING, training) is not None


def directories(path: str) -> dict[str, str]:
    """Return the directories of all trainings that have files there, by folder; that of C(path) itself is C("")."""
    found = {"": path}
    try:
        names = sorted(name for name in os.listdir(path) if has_folder(name))
    except FileNotFoundError:
        return found
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    for name in names:
        folder = os.path.join(path, name)
        if _is_directory(folder) and list_rounds(folder):
            found[name] = folder
    return found


def _newest(directory: str, training: str, strict: bool) -> int:
    """Return the newest round of a training in a directory; 0 when there is none."""
    try:
        found = list_checkpoints(directory, strict)
    except UnreadableError:
        if strict:
            raise
        return 0
    return max((checkpoint.round for checkpoint in found if checkpoint.training == training), default=0)


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)  # a link could lead anywhere
    except OSError:
        return False
