# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a file in pieces, no further than it was long: one that somebody else writes to may grow without an end.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import typing as t

_PIECE = 1 << 20  # bytes


def pieces(stream: t.IO[bytes], size: int) -> t.Iterator[bytes]:
    """Yield what comes next in a file, so many bytes at most."""
    while piece := stream.read(min(_PIECE, size)):
        size -= len(piece)
        yield piece


def sha256_of(stream: t.IO[bytes], size: int) -> str:
    """Return the hash of so many bytes from the beginning of a file, or of all where there are fewer."""
    stream.seek(0)
    digest = hashlib.sha256()
    for piece in pieces(stream, size):
        digest.update(piece)
    return digest.hexdigest()
