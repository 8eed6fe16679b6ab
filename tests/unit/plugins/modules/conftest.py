# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import contextmanager

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import identity
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import manifest as _manifest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import sealed
from ansible_collections.fedops.flower.plugins.module_utils._storage import ground


@pytest.fixture
def tmp_path(open_path):
    return open_path


@pytest.fixture
def save(tmp_path):
    """Save a checkpoint as the ServerApp does."""

    def write(number: int, training: str = "default") -> dict:
        path = tmp_path / f"checkpoint_round_{number}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            # By a ZipInfo, which has no time of its own: the same checkpoint is the same bytes, whenever it is saved.
            archive.writestr(zipfile.ZipInfo("weights.npy"), f"round {number} of {training}, " * 10)
        manifest = {
            "round": number,
            "num_rounds": 10,
            "timestamp": "2026-11-23T06:22:12Z",
            "training": training,
            "configuration_hash": "h",
            "configuration": {"strategy": "FedAvg"},
            "strategy": "FedAvg",
            "run_id": "1",
            "app": "fedops/app",
            "num_arrays": 1,
            "arrays": [{"name": "weights", "shape": [2], "dtype": "float32"}],
            "state_prefix": "state/",
            "state_arrays": [],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "parent": None,
            "loss": 0.5,
            "accuracy": None,
        }
        for name in (f"checkpoint_round_{number}.json", "checkpoint_latest.json"):
            (tmp_path / name).write_text(json.dumps(sealed(manifest)))
        latest = tmp_path / "checkpoint_latest.npz"
        latest.unlink(missing_ok=True)
        latest.symlink_to(path.name)
        left_out = ("configuration", "app", "state_prefix", "state_arrays", "parent")
        shown = {key: value for key, value in manifest.items() if key not in left_out}
        return {**shown, "path": str(path), "file": path.name}

    return write


@pytest.fixture
def anchored(tmp_path, monkeypatch):
    """A root directory of its own, in which nothing is mounted; C(mount) says that something is."""
    root, mounted = tmp_path / "root", tmp_path / "mountinfo"
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    mounted.touch()
    monkeypatch.setattr(ground, "ANCHOR", str(root))
    monkeypatch.setattr(ground, "MOUNTS", str(mounted))

    def mount(point, source="/dev/vdb", kind="ext4", device="8:16", part="/") -> None:
        with mounted.open("a") as stream:
            stream.write(f"36 25 {device} {part} {point} rw,noatime shared:1 - {kind} {source} rw\n")

    return root, mount


@pytest.fixture
def squashed(monkeypatch):
    """An export that squashes root, of mode 0755: root lists the files, and only the account opens them."""
    became = []

    opened = _manifest.opened

    def of_root(path: str) -> object:
        if not became:
            raise PermissionError(13, "Permission denied", path)
        return opened(path)

    @contextmanager
    def account():
        became.append(True)
        yield

    monkeypatch.setattr(_manifest, "opened", of_root)
    monkeypatch.setattr(identity, "as_checkpoint_owner", account)
    return became
