# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of root's that the controller sends only to a host that has another one.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass

from .files import has_attributes
from .guarded import ROOT, write_bytes


@dataclass(frozen=True)
class SentFile:
    """A file as wanted, of which only the digest is known before it is sent."""

    path: str
    digest: str  # SHA-256
    archive: str | None = None  # what was sent, which holds this file alone
    mode: int = 0o644

    @property
    def is_in_place(self) -> bool:
        return self.found == self.text and has_attributes(self.path, self.mode, ROOT, ROOT)

    @property
    def text(self) -> str:
        """What is shown of it, since it is no text."""
        return _shown(self.digest)

    @property
    def found(self) -> str | None:
        """What is shown of the file that is there; None when there is none."""
        digest = _digest_of(self.path)
        return _shown(digest) if digest else None

    def write(self) -> None:
        """Write it, so that a reader sees the old file or the new one, whole."""
        with tarfile.open(self.archive or "") as source:
            stream = source.extractfile(source.getmembers()[0])
            write_bytes(self.path, stream.read() if stream else b"", self.mode, (ROOT, ROOT))


def _shown(digest: str) -> str:
    """Return a line for a difference."""
    return f"SHA-256 {digest}\n"


def _digest_of(path: str) -> str:
    """Return the SHA-256 of what a file holds; nothing when there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return ""
