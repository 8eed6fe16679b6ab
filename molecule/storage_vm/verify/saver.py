# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Save checkpoints as the ServerApp of a training does, with its own code, but train nothing.

    PYTHONPATH=APP saver.py DIRECTORY

Each line that it writes is a round: whether its checkpoint was saved, and what the problem was.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from flwr.app import Array, ArrayRecord

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.saving import Saver

ABOUT = {
    "num_rounds": 1000, "training": "saver", "configuration_hash": "0" * 64, "configuration": {}, "strategy": "FedAvg",
    "run_id": "1", "app": "saver", "loss": None, "accuracy": None,
}  # fmt: skip

directory = CheckpointDirectory(sys.argv[1], keep_last=3, keep_best=False)
with directory.locked():
    saver = Saver(directory, required=False, checkpoint=None)
    for number in range(1, 1001):
        model = ArrayRecord({"weights": Array(np.full(100_000, number, dtype=np.float32))})
        begun = time.monotonic()
        saved = saver.save(model, {}, {**ABOUT, "round": number})
        line = {"round": number, "saved": saved is not None, "problem": saver.problem}
        print(json.dumps({**line, "seconds": round(time.monotonic() - begun, 1)}), flush=True)
        time.sleep(2)
