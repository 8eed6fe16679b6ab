# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a checkpoint directory.

This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import fcntl
import os
import time
import typing as t

LOCK = ".lock"  # who holds it may write there
LOCK_BUDGET = 90.0  # seconds; a ServerApp that lost its SuperLink lingers, but not longer than its heartbeat


def open_lock(directory: str) -> int:
    """Open the lock of a directory, which is made where there is none; closing it gives the lock back."""
    return os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def take_lock(lock: int, budget: float, on_wait: t.Callable[[], t.Any] | None = None) -> bool:
    """Take an open lock within C(budget) seconds; tell whether we have it. C(on_wait) hears that it is another's."""
    deadline = time.monotonic() + budget
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            on_wait = None
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.5)
