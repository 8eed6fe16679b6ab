# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of a checkpoint directory are called.

This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import re

LATEST_ARRAYS = "checkpoint_latest.npz"
LATEST_MANIFEST = "checkpoint_latest.json"
LATEST_FILES = (LATEST_ARRAYS, LATEST_MANIFEST)
BEST_ARRAYS = "checkpoint_best.npz"
BEST_MANIFEST = "checkpoint_best.json"
PREVIOUS = "previous"
PARTIAL = ".partial"  # how the name of a file ends that is being written
SAVED = ".saved"  # in the directory of all trainings: touched when one has saved in its folder

_OF_A_ROUND = re.compile(r"checkpoint_round_([1-9][0-9]*)\.(?:npz|json)")


def arrays_name(round_number: int) -> str:
    """Return the file name of a round's arrays."""
    return f"checkpoint_round_{round_number}.npz"


def manifest_name(round_number: int) -> str:
    """Return the file name of a round's manifest."""
    return f"checkpoint_round_{round_number}.json"


def round_of(name: str) -> int | None:
    """Return the round that a file is of by its name; None when it is of none."""
    match = _OF_A_ROUND.fullmatch(name)
    return int(match.group(1)) if match else None
