# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys from which the gateway takes large requests: an empty file for each, for which nginx looks at every request.

So a key counts from the moment on that it is registered, and no request that is under way is cut off by a reload. A key
is no proof: Flower checks the signature. But who knows no key of a SuperNode gets no further than a stranger does.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import base64
import os
import typing as t

from .._base import guarded
from .._base.layout import folder

# nginx treats nobody as a stranger while this is not there, so that it keeps out none whose key is yet to be written.
COMPLETE = "complete"
LENGTH = 200  # characters at the end of the header, of which each is the key's own or the same for all; a name has 255

# What comes before the point of the curve in a SubjectPublicKeyInfo.
_PREFIXES = {
    "ecdsa-sha2-nistp256": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    "ecdsa-sha2-nistp384": "3076301006072a8648ce3d020106052b81040022036200",
    "ecdsa-sha2-nistp521": "30819b301006072a8648ce3d020106052b8104002303818600",
}


def header(public_key: str) -> str:
    """Return what a SuperNode with this OpenSSH public key sends as its key: the base64 text of the PEM text of it."""
    curve, text = public_key.split()[:2]
    left, fields = base64.b64decode(text, validate=True), []
    while left:
        end = 4 + int.from_bytes(left[:4], "big")
        fields.append(left[4:end])
        left = left[end:]
    der = base64.b64encode(bytes.fromhex(_PREFIXES[curve]) + fields[2]).decode()
    lines = [der[start : start + 64] for start in range(0, len(der), 64)]
    pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    return base64.b64encode(pem.encode()).decode()


def admit(home: str, public_keys: t.Iterable[str], check_mode: bool = False) -> bool:
    """Have the gateway know exactly these keys; tell whether that changes anything.

    One that is empty or none of Flower's stands for a SuperNode whose key is not known. It must not be taken for a
    stranger, and so nobody is.
    """
    path = folder(home, "records/keys")
    if guarded.status(path) is None:
        return False  # a host of before, whose gateway does not look here
    wanted = {COMPLETE}
    for public_key in public_keys:
        try:
            wanted.add(header(public_key)[-LENGTH:])
        except (IndexError, KeyError, ValueError):
            wanted.discard(COMPLETE)
    found = set(guarded.names(path))
    if not check_mode:
        # In this order, so that at no moment a registered key is taken for a stranger's.
        if COMPLETE not in wanted:
            guarded.remove(os.path.join(path, COMPLETE))
        for name in sorted(wanted - found, key=lambda name: name == COMPLETE):
            guarded.write_bytes(os.path.join(path, name), b"", 0o644)
        for name in found - wanted:
            guarded.remove(os.path.join(path, name))
    return wanted != found
