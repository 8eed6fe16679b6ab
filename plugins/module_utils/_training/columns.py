# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and tables on a page of plain text.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._base.jsonable import harmless

LARGE = 1e9  # numbers beyond are written with their power of ten
CELL = 100  # characters of a cell of a table


def number(value: Any, digits: int = 4) -> str:
    """Write a number with so many digits after the point; a dash for what is none."""
    if not isinstance(value, (int, float)):
        return "-"
    return f"{value:.{digits}f}" if abs(value) < LARGE else f"{value:.{digits}e}"


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Write rows under a head, each column as wide as its widest cell."""
    lines = [[harmless(str(cell), CELL) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
