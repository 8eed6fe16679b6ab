# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is read no further than it was long."""

from __future__ import annotations

import hashlib
import io

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import reading


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100])
def test_so_many_bytes_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(reading, "_PIECE", 3)
    stream = io.BytesIO(b"01234567")
    found = list(reading.pieces(stream, size))
    assert b"".join(found) == b"01234567"[:size]
    assert max(map(len, found), default=0) <= 3
    assert reading.sha256_of(stream, size) == hashlib.sha256(b"01234567"[:size]).hexdigest()
