# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The fingerprint that travels with every set of parameters, and the check of it at the other end.

It tells that parameters changed between the two apps: a fault of memory, disk, proxy or serialization, or another app
on the other side. It is no signature: who may send at all is decided by TLS and the authentication of SuperNodes.
"""

from __future__ import annotations

import hashlib
import json

from flwr.app import ArrayRecord

from .mapped import lying, size

# The key of the fingerprint, in the config that goes to the clients and in the record that names a reply's site.
FINGERPRINT = "arrays-sha256"

# The record of a reply that names its site: a ConfigRecord, because Flower averages every MetricRecord.
SITE_RECORD = "site"
SECONDS, DATASET = "train-seconds", "dataset-name"  # what else it may say of the site


def fingerprint(arrays: ArrayRecord) -> str:
    """Return the SHA-256 over names, dtypes, shapes and bytes, in order.

    Every array's bytes are preceded by their number, so that no two sets of arrays read as the same stream. The
    buffers are hashed where they lie.
    """
    digest = hashlib.sha256()
    for name, array in arrays.items():
        header = [name, array.dtype, list(array.shape), array.stype, size(array)]
        digest.update(json.dumps(header).encode() + b"\n")
        digest.update(lying(array))
    return digest.hexdigest()


def flaw(arrays: ArrayRecord, claimed: object) -> str:
    """Say what speaks against arrays that came with a claimed fingerprint; nothing when it is theirs."""
    if not isinstance(claimed, str) or not claimed:
        return f"came without the SHA-256 of its parameters ({FINGERPRINT})"
    if (actual := fingerprint(arrays)) != claimed:
        return f"was changed on its way: the SHA-256 of its parameters is {actual[:16]}…, not {claimed[:16]}…"
    return ""
