# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file with a model that somebody brings along: what is in it, and whether that is the model of an app.

Everything is refused before anything is allocated for it.
This module is private to the collection and may change at any time. It needs no NumPy.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.jsonable import harmless
from . import npy, safetensors
from .npz import all_members, data_begin

NPZ, SAFETENSORS, PT = ".npz", ".safetensors", ".pt"
FORMATS = (NPZ, SAFETENSORS, PT)
CONTROLLER = "controller:"  # what a path on the controller begins with

_MEMBER = ".npy"
_UNNAMED = re.compile(r"arr_(0|[1-9][0-9]*)")
_STATE = re.compile(r"_*state/")  # what we call the arrays that an optimizer carries
_MOST_TOLD = 20  # differences
_SHOWN = 100  # characters of a name


class ModelError(FedopsError):
    """A file is no model, or not that of the app; the message says what is wrong."""


@dataclass(frozen=True)
class Entry:
    """One array of a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int  # of its bytes in the file, which are as numpy.save writes them (NPZ) or the numbers alone (SAFETENSORS)
    size: int
    in_fortran_order: bool = False

    @property
    def said(self) -> str:
        return f"{harmless(repr(self.name), _SHOWN)} {self.dtype}{list(self.shape)}"


def format_of(path: str) -> str:
    """Return the format that a name ends with."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in FORMATS:
        raise ModelError(f"{path} is no model by its name, which must end with one of {', '.join(FORMATS)}.")
    return suffix


def entries(stream: t.IO[bytes], path: str, size: int) -> list[Entry]:
    """Return the arrays of an .npz or .safetensors file of so many bytes, as they lie."""
    stream.seek(0)
    try:
        if format_of(path) == NPZ:
            return _of_npz(stream, size)
        tensors = safetensors.read_table(stream, size)
        return [Entry(one.name, one.dtype, one.shape, one.begin, one.size) for one in tensors]
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ModelError(f"{path} is no model: {error}.") from error


def matched(found: t.Sequence[Entry], names: t.Sequence[str]) -> dict[str, Entry]:
    """Return the arrays of a file by the names that an app has for them, as far as there are such.

    Arrays that C(numpy.savez) was given without names are called arr_0, arr_1 and so on, and are taken in that order.
    """
    known = {entry.name: entry for entry in found}
    if known and all(map(_UNNAMED.fullmatch, known)) and not set(known) & set(names):
        return dict(zip(names, (known[name] for name in sorted(known, key=lambda name: int(name[4:])))))
    return {name: known[name] for name in names if name in known}


def differences(found: t.Sequence[Entry], expected: t.Mapping[str, tuple[str, tuple[int, ...]]]) -> list[str]:
    """Say in what a file differs from the model of an app, whose arrays have these types and shapes."""
    taken = matched(found, list(expected))
    told = []
    for name, (dtype, shape) in expected.items():
        own = f"{dtype}{list(shape)}"
        entry = taken.get(name)
        if entry is None:
            told.append(f"{harmless(repr(name), _SHOWN)} {own} is missing")
        elif (entry.dtype, entry.shape) != (dtype, shape):
            told.append(f"{entry.said} is {own} in the app" + ("" if entry.name == name else f", as {name!r}"))
    used = {entry.name for entry in taken.values()}
    others = [entry for entry in found if entry.name not in used and not is_state(entry.name)]
    told += [f"{entry.said} is not in the app" for entry in others]
    more = len(told) - _MOST_TOLD
    return told[:_MOST_TOLD] + ([f"and {more} more"] if more > 0 else [])


def is_state(name: str) -> bool:
    """Tell whether an array is of an optimizer, as our checkpoints have them: it is no part of the model."""
    return _STATE.match(name) is not None


def _of_npz(stream: t.IO[bytes], size: int) -> list[Entry]:
    members = all_members(stream, size)
    found = []
    for member in members:
        name, suffix = os.path.splitext(member.filename)
        if suffix != _MEMBER or not name:
            raise ValueError(f"{harmless(repr(member.filename), _SHOWN)} in it is no array")
        begin = data_begin(stream, member)
        stream.seek(begin)
        header = npy.read(stream.read(min(npy.LONGEST, member.file_size)), member.file_size)
        found.append(Entry(name, header.dtype, header.shape, begin, member.file_size, header.in_fortran_order))
    return found
