# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages to try things on: an authority, a checkpoint of a small adapter, and what is packed of it."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import verify
from ansible_collections.fedops.flower.plugins.module_utils._delivery.packing import Packing, plan, signer_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from .saved import save

BASE = {"name": "org/tiny", "sha256": "b" * 64}
ADAPTER = {
    "base_model.model.q.lora_A.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "base_model.model.q.lora_B.weight": np.asfortranarray(np.arange(24, dtype=np.float16).reshape(2, 3, 4)),
    "scale": np.array(0.5),
}
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """A certificate authority, and where its files are."""

    certificate: Path
    private_key: Path

    @property
    def pem(self) -> bytes:
        return self.certificate.read_bytes()

    def signer(self, passphrase: str = "") -> Any:
        return signer_of(str(self.certificate), str(self.private_key), passphrase)


def certified(
    folder: Path, name: str, by: Authority | None = None, kind: str = "ec", passphrase: str = "", **more: Any
) -> Authority:
    """Write a key with a certificate, of an authority or else of its own."""
    key: Any = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP384R1())
    issuer = serialization.load_pem_private_key(by.private_key.read_bytes(), None) if by else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.now(UTC) - timedelta(days=2)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.load_pem_x509_certificate(by.pem).subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=more.get("days", 30)))
        .add_extension(x509.BasicConstraints(more.get("is_authority", by is None), None), True)
    )
    if more.get("usage"):
        builder = builder.add_extension(x509.ExtendedKeyUsage(more["usage"]), False)
    own = isinstance(issuer, ed25519.Ed25519PrivateKey)
    certificate = builder.sign(issuer, None if own else hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True)
    made = Authority(folder / f"{name}.crt", folder / f"{name}.key")
    made.certificate.write_bytes(certificate.public_bytes(PEM))
    cipher: Any = serialization.NoEncryption()
    if passphrase:
        cipher = serialization.BestAvailableEncryption(passphrase.encode())
    made.private_key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, cipher))
    return made


def save_model(folder: Path, number: int, arrays: dict[str, np.ndarray] | None = None, **more: Any) -> dict[str, Any]:
    """Save a checkpoint of these arrays, with the state of an optimizer; return its manifest."""
    arrays = ADAPTER if arrays is None else arrays
    state = {"state/m_t/scale": np.array(9.0)}
    members = {f"{name}.npy": npy(array) for name, array in {**arrays, **state}.items()}
    described = [{"name": name, "shape": list(one.shape), "dtype": str(one.dtype)} for name, one in arrays.items()]
    given = {"training": "default", "strategy": "FedAdam", **more}
    return save(
        folder,
        number,
        members,
        num_arrays=len(arrays),
        arrays=described,
        state_arrays=[{"name": "state/m_t/scale", "shape": [], "dtype": "float64"}],
        **given,
    )


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array))
    return stream.getvalue()


def side_files(folder: Path) -> dict[str, str]:
    """Write what PEFT has beside an adapter, and a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    (folder / "tokenizer.json").write_bytes(b"{}" * 500)
    return {path.name: str(path) for path in sorted(folder.iterdir())}


def planned(folder: Path, number: int = 3, **more: Any) -> Packing:
    """Plan the package of an adapter."""
    save_model(folder / "checkpoints", number, **more)
    checkpoint = verify(str(folder / "checkpoints" / f"checkpoint_round_{number}.npz"))
    return plan(checkpoint, "tiny", BASE, side_files(folder / "side"))


def packed(folder: Path, authority: Authority, into: str = "packed", **more: Any) -> Path:
    """Pack an adapter; return the package."""
    packing = planned(folder, **more)
    (folder / into).mkdir()
    packing.write(str(folder / into), authority.signer())
    return folder / into / packing.file
