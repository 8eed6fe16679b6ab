# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a .safetensors file, read strictly: an array is where it says, and every byte belongs to one.

The format is the length of a table in 8 bytes, the table in JSON, and the numbers of the arrays, little-endian and in C
order (https://huggingface.co/docs/safetensors, "Format").
This module is private to the collection and may change at any time. It needs no NumPy.
"""

from __future__ import annotations

import json
import math
import typing as t
from dataclasses import dataclass

from .._base.jsonable import MOST_VALUES, has_too_many, is_whole
from .npy import MOST_DIMENSIONS
from .npz import LONGEST_NAME, MOST_MEMBERS

LONGEST_TABLE = 64 << 20  # bytes
METADATA = "__metadata__"  # texts about the file, which are none of the arrays
_LENGTH = 8  # bytes of the length of the table
_LARGEST = 1 << 62  # bytes of all arrays

# The name that NumPy has for a type, where it has one, and the bytes of a number.
KINDS: t.Mapping[str, tuple[str, int]] = {
    "BOOL": ("bool", 1),
    **{f"{letter}{bits}": (f"{name}{bits}", bits // 8) for letter, name in (("I", "int"), ("U", "uint"))
       for bits in (8, 16, 32, 64)},
    "F16": ("float16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
    "BF16": ("bfloat16", 2),
    "F8_E4M3": ("float8_e4m3", 1),
    "F8_E5M2": ("float8_e5m2", 1),
}  # fmt: skip
OF_NAME = {name: kind for kind, (name, dummy) in KINDS.items()}


@dataclass(frozen=True)
class Tensor:
    """One array, and where its numbers begin in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    size: int


def read_table(stream: t.IO[bytes], size: int) -> list[Tensor]:
    """Return the arrays of a file of so many bytes, as they lie; whatever is wrong is a ValueError."""
    length = int.from_bytes(stream.read(_LENGTH), "little")
    begin = _LENGTH + length
    if not 2 <= length <= LONGEST_TABLE or begin > size:
        raise ValueError("it does not begin with the table of a .safetensors file")
    text = stream.read(length)
    if has_too_many(text):
        raise ValueError(f"its table has more than {MOST_VALUES} values")
    try:
        table = json.loads(text.decode("utf-8"), object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        raise ValueError("its table is no JSON that names every array once") from error
    if not isinstance(table, dict) or len(table) > MOST_MEMBERS:
        raise ValueError("its table is not that of a .safetensors file")
    table.pop(METADATA, None)
    tensors = [_tensor(name, entry, begin) for name, entry in table.items()]
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.size))
    end = begin
    for tensor in tensors:
        if tensor.begin != end:
            raise ValueError(f"{tensor.name!r} in it does not begin where the array before it ends")
        end += tensor.size
    if end != size:
        raise ValueError(f"its arrays end at byte {end}, but it has {size}")
    return tensors


def write_table(arrays: t.Sequence[tuple[str, str, t.Sequence[int]]], metadata: t.Mapping[str, str]) -> bytes:
    """Return what stands before the numbers of arrays with these names, types (as NumPy says them) and shapes."""
    table: dict[str, t.Any] = {METADATA: dict(metadata)}
    end = 0
    for name, dtype, shape in arrays:
        kind = OF_NAME.get(dtype)
        if kind is None:
            raise ValueError(f"{name!r} is {dtype}, which a .safetensors file cannot hold")
        begin, end = end, end + KINDS[kind][1] * math.prod(shape)
        table[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(table, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % _LENGTH)  # as its own library does, for readers that map the numbers
    return len(text).to_bytes(_LENGTH, "little") + text


def _tensor(name: str, entry: t.Any, begin: int) -> Tensor:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name[:LONGEST_NAME]!r} in it is not described as an array")
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not name or len(name) > LONGEST_NAME or not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"{name[:LONGEST_NAME]!r} in it has a name or a type that is not known: {str(kind)[:20]!r}")
    if not (_are_whole(shape, MOST_DIMENSIONS) and _are_whole(offsets, 2) and len(offsets) == 2):
        raise ValueError(f"{name!r} in it has no shape, or does not say where it is")
    dtype, itemsize = KINDS[kind]
    size = itemsize * math.prod(shape)
    if size > _LARGEST or offsets[1] - offsets[0] != size:
        raise ValueError(f"{name!r} in it has not the bytes of {dtype}{list(shape)}")
    return Tensor(name, dtype, tuple(shape), begin + offsets[0], size)


def _are_whole(values: t.Any, most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(is_whole(value) and 0 <= value < _LARGEST for value in values)
    )


def _without_doubles(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found
