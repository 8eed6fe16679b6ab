# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One checkpoint, as its manifest describes it.

This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from .._base.jsonable import is_whole

EARLY_STOPPING = "early_stopping"  # in a manifest


def label_of(training: str, configuration_hash: str, code_began: str = "") -> str:
    """Return what a folder is called that is for the checkpoints of one training."""
    return f"{training}-{configuration_hash[:8]}" + (f".{code_began[:8]}" if code_began else "")


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: the file with the arrays, and what its manifest says about it."""

    path: str
    manifest: t.Mapping[str, t.Any]

    @property
    def file(self) -> str:
        return os.path.basename(self.path)

    @property
    def round(self) -> int:
        return self.manifest["round"]

    @property
    def num_rounds(self) -> int:
        return self.manifest["num_rounds"]

    @property
    def timestamp(self) -> str:
        return self.manifest["timestamp"]

    @property
    def training(self) -> str:
        return self.manifest["training"]

    @property
    def configuration_hash(self) -> str:
        return self.manifest["configuration_hash"]

    @property
    def code(self) -> str:
        """The hash of the user's code that made it; empty where nobody has told."""
        return self.manifest.get("code", "")

    @property
    def code_began(self) -> str:
        """The same of the code that its training began with; what went on with other code keeps it."""
        return self.manifest.get("code_began", "")

    @property
    def label(self) -> str:
        """What a folder is called that holds checkpoints of its training alone."""
        return label_of(self.training, self.configuration_hash, self.code_began)

    @property
    def strategy(self) -> str:
        return self.manifest["strategy"]

    @property
    def run_id(self) -> str:
        return self.manifest["run_id"]

    @property
    def sha256(self) -> str:
        return self.manifest["sha256"]

    @property
    def members(self) -> list[str]:
        """The files in that of the arrays, in their order."""
        return [entry["name"] + ".npy" for entry in self.manifest["arrays"] + self.manifest["state_arrays"]]

    @property
    def loss(self) -> float | None:
        return self.manifest["loss"]

    @property
    def accuracy(self) -> float | None:
        return self.manifest["accuracy"]

    @property
    def best_round(self) -> int:
        """The round with the best model so far, by early stopping; 0 where there is no such thing."""
        said = self.manifest.get(EARLY_STOPPING)
        number = said.get("best_round") if isinstance(said, dict) else 0
        return number if is_whole(number) and 0 < number <= self.round else 0

    def age(self, now: datetime) -> float | None:
        """Return how many seconds ago it was saved; None when its time cannot be read."""
        try:
            # Python before 3.11 does not take the letter for UTC.
            moment = datetime.fromisoformat(self.timestamp.replace("Z", "+00:00"))
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return (now - moment).total_seconds()
