# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints as a ServerApp leaves them, without NumPy: what reads them on a host does not look into the arrays."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import sealed


def save(
    directory: Path, number: int, members: Mapping[str, str | bytes] | None = None, **changes: object
) -> dict[str, Any]:
    """Write a checkpoint of the training C(demo), with the given members of its archive; return its manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"checkpoint_round_{number}.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members or {"weight.npy": f"round {number}"}).items():
            # By a ZipInfo, which has no time of its own: the same checkpoint is the same bytes, whenever it is saved.
            archive.writestr(zipfile.ZipInfo(name), content)
    content = path.read_bytes()
    manifest = {
        "round": number,
        "num_rounds": 9,
        "timestamp": "2026-11-22T10:00:00+00:00",
        "training": "demo",
        "configuration_hash": "a" * 64,
        "configuration": {"strategy": "FedAvg"},
        "strategy": "FedAvg",
        "run_id": "12",
        "app": "fedops/fedops-app 0.1.0 abcdef01",
        "num_arrays": 1,
        "arrays": [{"name": "weight", "shape": [2], "dtype": "float32"}],
        "state_prefix": "state/",
        "state_arrays": [],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parent": None,
        "loss": 0.5,
        "accuracy": None,
        **changes,
    }
    manifest = sealed(manifest)
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return manifest
