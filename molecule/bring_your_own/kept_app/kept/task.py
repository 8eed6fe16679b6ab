# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The form of its own in which this app's model can be exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def export(arrays: dict[str, NDArray], path: Path) -> Path:
    """Write the numbers of the model as JSON; ``path`` has no ending yet."""
    path = path.with_suffix(".json")
    path.write_text(json.dumps(np.concatenate([array.ravel() for array in arrays.values()]).tolist()))
    return path
