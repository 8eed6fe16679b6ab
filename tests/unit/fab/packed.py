# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of what a training of adapters leaves, packed as the collection does and unpacked as a worker does."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from simulated import Federation
from use_cases import ROOT

sys.path.insert(0, str(ROOT / "plugins"))

from module_utils._checkpoint.side_files import SIDE_FILES, decoded
from module_utils._checkpoint.verification import verify
from module_utils._delivery.packing import plan, signer_of


def authority(folder: Path) -> list[str]:
    """Make an authority with OpenSSL; return its certificate and its key."""
    certificate, key = str(folder / "ca.crt"), str(folder / "ca.key")
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-nodes",
        "-subj",
        "/CN=ca",
    ]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return [certificate, key]


def unpacked(sites: Federation, number: int, work: Path, into: Path) -> Path:
    """Return the folder of the package of a round, for the base model of the federation."""
    checkpoint = verify(str(sites.checkpoints() / f"checkpoint_round_{number}.npz"))
    record = (sites.root / "trainings/default" / SIDE_FILES).read_bytes()
    beside, packed = work / "side", work / f"packed-{number}"
    for folder in (beside, packed, into):
        folder.mkdir(exist_ok=True)
    for name, content in (decoded(record, checkpoint.configuration_hash) or {}).items():
        (beside / name).write_bytes(content)
    weights = sites.root / "server/base-model/model.safetensors"
    base = {"name": "tiny", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    package = plan(checkpoint, "chat", base, {path.name: str(path) for path in beside.iterdir()})
    package.write(str(packed), signer_of(*authority(work)))
    subprocess.run(["tar", "--extract", "--file", packed / package.file, "--directory", into], check=True)
    return into / package.package
