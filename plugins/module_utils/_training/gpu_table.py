# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a federation on its page of plain text.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .columns import table
from .picture import Row

GB = 1e9


def gpus_text(gpus: Sequence[Row]) -> str:
    """Write the GPUs of all hosts, one line each."""
    return f"GPUs\n{table(('HOST', 'GPU', 'NAME', 'SUPERNODES', 'MEMORY IN USE', 'BUSY'), list(map(_cells, gpus)))}"


def _cells(gpu: Row) -> list[Any]:
    used, whole, busy = gpu.get("memory_used"), gpu.get("memory"), gpu.get("busy")
    users = gpu.get("supernodes")
    memory = "-"
    if isinstance(used, int) and isinstance(whole, int) and not isinstance(whole, bool):
        memory = f"{used / GB:.1f} of {whole / GB:.1f} GB"
    return [
        gpu.get("host"),
        gpu.get("index"),
        gpu.get("name") or "-",
        ", ".join(map(str, users)) if isinstance(users, list) and users else "none",
        "CANNOT BE USED" if gpu.get("problem") else memory,
        f"{busy} %" if isinstance(busy, int) else "-",
    ]
