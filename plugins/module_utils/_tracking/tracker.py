# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every tracker can do. Where a round has arrived is asked of the tracker itself, never of our memory.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t

from .._base.errors import FedopsError
from .figures import Closing, TrackedRound, TrackedTraining

STATE_FILE = "state.json"  # how far a tracker is, in the folder that it may write


class TrackerError(FedopsError):
    """A tracker cannot be told anything now; the message says why."""


class TrackerRun(t.Protocol):
    """One training in a tracker."""

    last: int  # the last round that has arrived whole
    link: str  # where people find it

    def tell(self, one: TrackedRound) -> None:
        """Tell of a round that comes after the last one. What had arrived of it is not told again."""

    def close(self, closing: Closing) -> None:
        """Say how the training has ended. More rounds may still come after that, and open it again."""

    def leave(self) -> None:
        """Let go of it, with what was told so far on its way."""


class FolderTracker:
    """A folder, in which each training has files of its own."""

    def __init__(self, folder: str, options: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> None:
        self._folder = folder

    def place(self, training: TrackedTraining) -> str:
        """Return how the path of all that a training has there begins."""
        return os.path.join(self._folder, training.label)


class Tracker(t.Protocol):
    """Where trainings are told of."""

    def run(self, training: TrackedTraining) -> TrackerRun:
        """Return the run of a training: the one that is there, or a new one."""
