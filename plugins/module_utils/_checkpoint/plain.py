# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints that others have written under the same names, with no more said of them than round, time and number.

That is C(numpy.savez) for the arrays of each round, and one C(checkpoint_latest.json). Nothing can go on from them
exactly, but a training can begin with the model in them.
This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import os
import typing as t

from .manifest import CheckpointError, load
from .names import LATEST_MANIFEST, arrays_name, manifest_name

_SAID = {"round", "timestamp", "num_arrays"}
_MOST_NAMED = 5  # rounds


def plain_rounds(directory: str, rounds: t.Iterable[int]) -> list[int]:
    """Return which rounds of a directory are of the plain pattern, ascending; none, unless it says so itself."""
    alone = [number for number in rounds if not os.path.lexists(os.path.join(directory, manifest_name(number)))]
    try:
        latest = load(os.path.join(directory, LATEST_MANIFEST)) if alone else None
    except CheckpointError:
        return []
    return alone if isinstance(latest, dict) and "round" in latest and set(latest) <= _SAID else []


def plain_text(directory: str, rounds: t.Sequence[int]) -> str:
    """Say what checkpoints of the plain pattern lack, and how to take them over."""
    shown = ", ".join(map(str, rounds[-_MOST_NAMED:]))
    path = os.path.join(directory, arrays_name(rounds[-1]))
    return (
        f"{directory} holds models of another program (round {shown}) with round, timestamp and num_arrays alone. They"
        " lack the training that they are of, its configuration, the state of its strategy and every hash, so that"
        f" nothing can go on from them exactly. To begin with the newest of them, set fl_initial_checkpoint={path}."
    )
