# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The app of the model that the collection trains by default: a small network for 8 by 8 digits, in NumPy.

An app is a file with two functions. C(load) gets the folder of an unpacked package and its manifest, and returns a
model. C(predict) gets that and the body of a request, and returns what JSON has. C(check), when there is one, raises
whatever it likes for a model that is not to be served.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PIXELS = 64


def load(folder: Path, manifest: dict[str, Any]) -> dict[str, np.ndarray]:
    with np.load(folder / "model.npz", allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def predict(model: dict[str, np.ndarray], body: Any) -> dict[str, Any]:
    x = np.asarray(body["inputs"], dtype=np.float32)
    if x.ndim != 2 or x.shape[1] != PIXELS:
        raise ValueError(f"inputs must be a list of lists of {PIXELS} numbers")
    hidden = np.maximum(x @ model["hidden.weight"] + model["hidden.bias"], 0)
    scores = hidden @ model["output.weight"] + model["output.bias"]
    return {"classes": scores.argmax(axis=1).tolist()}


def check(model: dict[str, np.ndarray]) -> None:
    broken = [name for name, array in model.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f"{', '.join(broken)} have numbers that are not finite")
