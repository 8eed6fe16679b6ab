# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no other process of the same user gets at: a secret, and the memory that it is in."""

from __future__ import annotations

import ctypes
import os
import resource

SECRET_LIMIT = 4096  # bytes
PR_SET_DUMPABLE = 4


def take_secret(stream: int = 0) -> bytes:
    """Read the secret, and leave nothing of it for processes to come."""
    secret = b""
    while part := os.read(stream, SECRET_LIMIT):
        secret += part
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, stream)
    os.close(nothing)
    return secret


def close_memory() -> None:
    """Let no other process of this user look into this one, or have its memory written to a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the memory of the process cannot be closed")
