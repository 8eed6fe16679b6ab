# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that every reader of JSON takes: Python writes and reads more than JSON and UTF-8 have.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t


def plain(value: t.Any) -> t.Any:
    """Return a value with null for numbers that JSON has not, and a mark for characters that UTF-8 has not.

    Such numbers are NaN and the infinite ones; such characters are halves of a pair, as in the name of a file that is
    no text.
    """
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def plain_text(text: str, encoding: str = "utf-8") -> str:
    """Return a text without what an encoding cannot hold."""
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)
