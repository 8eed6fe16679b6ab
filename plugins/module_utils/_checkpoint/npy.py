# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of an array in NumPy's own format, read by a grammar of its own.

NumPy's reader takes more than NumPy writes: types without a size end the process with a signal that nothing catches,
and a shape may claim any memory. Here a header is what C(numpy.save) writes for numbers, byte by byte, or it is refused
before NumPy sees it.

This module is private to the collection and may change at any time. It needs no NumPy.
"""

from __future__ import annotations

import math
import re
import sys
import typing as t
from dataclasses import dataclass

MAGIC = b"\x93NUMPY\x01\x00"  # version 1.0, which suffices for every array of numbers
LONGEST = 4096  # bytes before the numbers; 64 dimensions of 19 digits each take less
MOST_DIMENSIONS = 64  # as many as NumPy has
_LARGEST = 1 << 62  # bytes; NumPy counts them in a signed number of 64 bits

_NATIVE, _FOREIGN = ("<", ">") if sys.byteorder == "little" else (">", "<")
_NUMBERS = {"i2": "int16", "i4": "int32", "i8": "int64", "u2": "uint16", "u4": "uint32", "u8": "uint64"}
_NUMBERS.update({"f2": "float16", "f4": "float32", "f8": "float64", "c8": "complex64", "c16": "complex128"})

# What numpy.save writes for a type, and what str() of that type is: all that a model or an optimizer may be made of.
# NumPy knows no bfloat16, and writes two bytes of it, with or without an order; no other numbers look like that.
TYPES: t.Mapping[str, str] = {
    "|b1": "bool",
    "|i1": "int8",
    "|u1": "uint8",
    **{_NATIVE + code: name for code, name in _NUMBERS.items()},
    **{_FOREIGN + code: _FOREIGN + code for code in _NUMBERS},
    "|V2": "bfloat16",
    _NATIVE + "V2": "bfloat16",
}
NAMES = frozenset(TYPES.values())

_NUMBER = rb"(?:0|[1-9][0-9]{0,18})"
_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-zV][0-9]{1,2})', 'fortran_order': (True|False), 'shape': "
    rb"\((|" + _NUMBER + rb",|" + _NUMBER + rb"(?:, " + _NUMBER + rb"){1,63})\), \} *\n"
)


@dataclass(frozen=True)
class Header:
    """What an array is, and where its numbers begin."""

    descr: str
    shape: tuple[int, ...]
    in_fortran_order: bool
    begin: int

    @property
    def dtype(self) -> str:
        """The name of the type, as NumPy says it."""
        return TYPES[self.descr]


def read(start: bytes, size: int) -> Header:
    """Return the header of an array of so many bytes that begins with C(start); whatever is wrong is a ValueError."""
    begin = len(MAGIC) + 2
    if len(start) < begin or bytes(start[: len(MAGIC)]) != MAGIC:
        raise ValueError("it does not begin as numpy.save begins an array")
    end = begin + int.from_bytes(start[len(MAGIC) : begin], "little")
    if end > min(LONGEST, len(start)):
        raise ValueError("its header is longer than that of any array of numbers, or cut short")
    found = _HEADER.fullmatch(bytes(start[begin:end]))
    descr = found.group(1).decode("ascii") if found else ""
    if found is None or descr not in TYPES:
        raise ValueError("its header is not what numpy.save writes for an array of numbers")
    shape = tuple(int(number) for number in found.group(3).split(b",") if number.strip())
    itemsize = int(descr[2:])
    if itemsize * math.prod(length or 1 for length in shape) > _LARGEST:
        raise ValueError(f"its shape {list(shape)} is larger than any memory")
    if end + itemsize * math.prod(shape) != size:
        raise ValueError(f"{size} bytes are not what the header {TYPES[descr]}{list(shape)} says")
    return Header(descr, shape, found.group(2) == b"True", end)
