# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bfloat16, of which NumPy knows nothing: the upper half of a float32. Arrays are NumPy's, which is not imported.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

_ALL_BUT_THE_SIGN = 0x7FFF_FFFF
_INFINITY = 0x7F80_0000
_NAN = 0x7FC0  # the one that most programs write


def to_float32(bits: t.Any) -> t.Any:
    """Return numbers as float32, given their bits as uint16 in a contiguous array; each is held exactly."""
    return (bits.astype("uint32") << 16).view("float32")


def from_float32(values: t.Any) -> t.Any:
    """Return the bits of numbers as uint16, given as float32 in a contiguous array.

    Rounded once, to the nearest, ties to even.
    """
    bits = values.reshape(-1).view("uint32")
    lower = ((bits >> 16) & 1) + 0x7FFF
    upper = ((bits.astype("uint64") + lower) >> 16).astype("uint16")
    upper[(bits & _ALL_BUT_THE_SIGN) > _INFINITY] = _NAN  # rounding would carry it into infinity
    return upper.reshape(values.shape)
