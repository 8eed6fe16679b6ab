# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for news of a supervised training: what its supervisor remembers and its rounds; Flower is not asked.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time

from .._base.systemd import show_units
from .._training.folder import TrainingFolder
from .._training.follow import HISTORY_EVERY, progress_of
from .desk import Desk, unit_name
from .memory import Memory


def await_news(folder: TrainingFolder, wait_for_round: int, seen: str, seconds: float) -> None:
    """Return when there is news of a supervised training, at the latest after some seconds. Flower is not asked."""
    desk, end = Desk(folder), time.monotonic() + seconds
    while time.monotonic() < end:
        memory = desk.memory or Memory()
        reached, dummy = progress_of(folder, memory.run_id, wait_for_round)
        (unit,) = show_units(unit_name(folder.name))
        if reached or memory.signature != seen or (unit.is_known and not unit.lives):
            return
        time.sleep(max(0.0, min(HISTORY_EVERY, end - time.monotonic())))
