# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of so many megabytes, and next to no training: what is left is what carrying the model costs.

It takes the place of ``fedops_app/task.py``. The benchmark writes the size into it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .settings import Settings

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

MEGABYTES = 1
LAYERS = 10


def initial_arrays(seed: int) -> Arrays:
    """Return layers of random numbers: Flower sends equal pieces only once."""
    rng = np.random.default_rng(seed)
    numbers = MEGABYTES * 10**6 // 4 // LAYERS
    return {f"layer{number}.weight": rng.random(numbers, dtype=np.float32) for number in range(LAYERS)}


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Change every number, by another amount at each site."""
    step = np.float32(np.random.default_rng(settings.seed).random())
    return {name: array + step for name, array in arrays.items()}, {"num-examples": 1, "train_loss": 0.0}


def evaluate(arrays: Arrays, data_directory: Path) -> Metrics:
    """Say nothing of use."""
    return {"num-examples": 1, "loss": 0.0}


def evaluate_centrally(arrays: Arrays, data_directory: Path) -> Metrics | None:
    """The server has no test set."""
    return None
