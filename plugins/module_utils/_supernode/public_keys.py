# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Public keys of SuperNodes: in OpenSSH form, as Flower takes them, and in PEM, as its database has them.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import sqlite3

from .._base import guarded, identity
from .._base.errors import NotDeployedError
from .._flower.assumptions import CURVES, STORED_KEYS


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint of an OpenSSH public key, as C(ssh-keygen -l) shows it."""
    blob = base64.b64decode(public_key.split()[1], validate=True)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def stored_keys(home: str) -> dict[str, str]:
    """Return the OpenSSH public key of each node id in the state database; empty when it cannot be read.

    This looks behind Flower's interface, and only when the ledger is lost: nothing but the database knows then.
    """
    path = os.path.join(home, "state", "state.db")
    try:
        # As the account that could have put anything there.
        with identity.as_account(identity.STATE_USER), guarded.regular_file(path, None):
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            try:
                rows = connection.execute(STORED_KEYS).fetchall()
            finally:
                connection.close()
    except (OSError, sqlite3.Error, NotDeployedError):  # the last in check mode, on a host that has no such account yet
        return {}
    keys = ((node_id, openssh_key(bytes(pem))) for node_id, pem in rows)
    # SQLite has no unsigned numbers: Flower stores the upper half of the node ids as negative ones.
    return {str(node_id % (1 << 64)): key for node_id, key in keys if key}


def openssh_key(pem: bytes) -> str | None:
    """Return the OpenSSH form of an elliptic curve public key in PEM, or None when it is something else."""
    try:
        der = base64.b64decode(b"".join(pem.split(b"-----")[2].split()), validate=True)
    except (binascii.Error, IndexError):
        return None
    # The point is the end of the structure; its length tells the curve.
    for curve, size in (("nistp256", 65), ("nistp384", 97), ("nistp521", 133)):
        point = der[-size:]
        if len(der) - size in (23, 26, 25) and point[:1] == b"\x04":
            fields = (f"ecdsa-sha2-{curve}".encode(), curve.encode(), point)
            blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
            return f"ecdsa-sha2-{curve} {base64.b64encode(blob).decode()}"
    return None


def key_problems(name: str, public_key: str | None) -> list[str]:
    """Return what is wrong with the public key of a SuperNode."""
    words = (public_key or "").split()
    make = "Make one with 'ssh-keygen -t ecdsa -b 384'."
    if len(words) < 2:
        return [f"public_key of {name} is missing or not an OpenSSH public key. {make}"]
    if words[0] not in CURVES:
        return [f"public_key of {name} is of type {words[0]} but Flower takes {', '.join(CURVES)}. {make}"]
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if not blob.startswith(len(words[0]).to_bytes(4, "big") + words[0].encode()):
        return [f"public_key of {name} is damaged: it is not the base64 text of a key. Copy the .pub file again."]
    return []
