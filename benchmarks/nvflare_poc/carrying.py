# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVFlare's FedAvg, carrying the model of ``benchmarks/model_size/task.py``: it tells when a round begins."""

from __future__ import annotations

import time

import numpy as np
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.app_event_type import AppEventType
from nvflare.app_common.workflows.fedavg import FedAvg


class Carrying(FedAvg):
    """FedAvg whose model is so many random arrays of so many megabytes in all."""

    def __init__(self, megabytes: int, arrays: int, moments: str, num_clients: int, num_rounds: int) -> None:
        super().__init__(num_clients=num_clients, num_rounds=num_rounds, persistor_id="", save_filename=None)
        self.megabytes = megabytes
        self.arrays = arrays
        self.moments = moments

    def load_model(self) -> FLModel:
        """Return the same layers of random numbers that the benchmarks' own task has."""
        rng = np.random.default_rng(0)
        numbers = self.megabytes * 10**6 // 4 // self.arrays
        return FLModel(
            params={f"layer{number}.weight": rng.random(numbers, dtype=np.float32) for number in range(self.arrays)}
        )

    def save_model(self, model: FLModel) -> None:
        """Save nothing: it would fall into the round."""

    def event(self, event_type: str) -> None:
        """Note the moment in which a round begins."""
        if event_type == AppEventType.ROUND_STARTED:
            with open(self.moments, "a", encoding="utf-8") as moments:
                moments.write(f"{time.time()}\n")
        super().event(event_type)
