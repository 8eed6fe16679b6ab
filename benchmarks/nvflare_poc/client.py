# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an NVFlare client does with the model: as much as ``benchmarks/model_size/task.py`` does."""

from __future__ import annotations

import numpy as np
import nvflare.client as flare

flare.init()
step = np.float32(np.random.default_rng().random())
while flare.is_running():
    model = flare.receive()
    params = {name: np.asarray(array) + step for name, array in model.params.items()}
    flare.send(flare.FLModel(params=params, metrics={"loss": 0.0}, meta={"NUM_STEPS_CURRENT_ROUND": 1}))
