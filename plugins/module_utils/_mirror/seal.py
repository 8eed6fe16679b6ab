# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seal of a checkpoint in the mirror: proof that a host with the secret has put it there, and nobody else.

It holds for everything in the manifest, and so for the hash and the size of the arrays.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import hmac
import json

from .._base.errors import FedopsError
from .._base.notation import counted
from .._checkpoint.checkpoint import Checkpoint

SEAL_LENGTH = 64  # letters of a seal
SHORTEST_SECRET, LONGEST_SECRET = 16, 4096  # bytes of a secret
_PURPOSE = "fedops.flower mirror 1"


def seal_name(round_number: int) -> str:
    """Return the name of a round's seal, beside its arrays and manifest."""
    return f"checkpoint_round_{round_number}.seal"


def seal_of(checkpoint: Checkpoint, secret: bytes) -> str:
    """Return the seal of a checkpoint, whose manifest was checked."""
    about = checkpoint.manifest
    sealed = [_PURPOSE, *(about[key] for key in ("training", "configuration_hash", "round", "sha256", "bytes"))]
    text = json.dumps([*sealed, about["manifest_sha256"]], separators=(",", ":"))
    return hmac.new(secret, text.encode("ascii"), hashlib.sha256).hexdigest()


def is_sealed(checkpoint: Checkpoint, secret: bytes | None, seal: str | bytes) -> bool:
    """Tell whether a seal is that of a checkpoint; without a secret none is."""
    given = seal.encode() if isinstance(seal, str) else seal
    return secret is not None and hmac.compare_digest(seal_of(checkpoint, secret).encode(), given.strip())


def read_secret(path: str) -> bytes:
    """Return a secret; raise FedopsError for one that is none."""
    with open(path, "rb") as stream:
        secret = stream.read(LONGEST_SECRET + 1)
    return checked_secret(secret, path)


def checked_secret(secret: bytes, path: str) -> bytes:
    if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET:
        raise FedopsError(
            f"{path} has {counted(len(secret), 'byte')} but must have {SHORTEST_SECRET} to {LONGEST_SECRET} to be a"
            " secret."
        )
    return secret
