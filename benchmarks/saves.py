# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving a model with the app's own code, as a round does it, and how long that takes.

As a command, on a host that has the app: save in several directories in turn, and write the seconds as JSON.

    PYTHONPATH=APP saves.py MEGABYTES REPEATS NAME=DIRECTORY...
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from flwr.app import Array

from fedops_kit.checkpoints import CheckpointDirectory

MEGABYTE = 10**6
LAYERS = 10
IDENTITY = {
    "training": "benchmark", "configuration_hash": "0" * 64, "configuration": {}, "strategy": "FedAvg",
    "run_id": "0", "app": "benchmark",
}  # fmt: skip


def timed(run: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def make_model(size: int) -> dict[str, Array]:
    """Make layers of random numbers, of the given number of bytes together."""
    values = max(size // 4 // LAYERS, 1)
    rng = np.random.default_rng(0)
    layers = LAYERS if size > 4 * LAYERS else 1
    return {f"layer{number}.weight": Array(rng.random(values, dtype=np.float32)) for number in range(layers)}


def saving(model: dict[str, Array], directory: Path, keep_last: int = 0) -> Callable[[], float]:
    """Return what saves the model as the next round and tells the seconds."""
    checkpoints = CheckpointDirectory(str(directory), keep_last, keep_best=False)
    Path(checkpoints.path).mkdir(exist_ok=True)
    about = {"round": max(checkpoints.rounds(), default=0) + 1, "num_rounds": 0, "loss": None, "accuracy": None}
    return lambda: timed(lambda: checkpoints.save(model, {}, {**about, **IDENTITY}))


def in_turn(model: dict[str, Array], repeats: int, directories: dict[str, Path]) -> dict[str, list[float]]:
    """Save in every directory, again and again, each time beginning with another one; return the seconds by name."""
    names = list(directories)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1, repeats):
        for place in range(len(names)):
            name = names[(number + place) % len(names)]
            os.sync()  # nobody pays for what another has left
            taken = saving(model, directories[name], keep_last=2)()
            if number >= 0:  # the first time loads and makes what is there afterwards
                seconds[name].append(round(taken, 4))
    return seconds


if __name__ == "__main__":
    places = {name: Path(path) for name, _equals, path in (word.partition("=") for word in sys.argv[3:])}
    json.dump(in_turn(make_model(int(sys.argv[1]) * MEGABYTE), int(sys.argv[2]), places), sys.stdout)
