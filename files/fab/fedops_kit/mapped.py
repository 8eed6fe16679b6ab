# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Arrays whose bytes lie in a file: whoever computes with one reads it through the page cache, and holds no copy."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable
from typing import BinaryIO, Literal

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.common.constant import SType
from numpy.typing import NDArray

from .knowledge._checkpoint import npy

_COPIED = 1 << 16  # bytes; a smaller array is read as Flower reads it


class Stored:
    """A file with the bytes of arrays, read where they lie. It has no name, and is gone with the last of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        self._given: set[int] = set()
        self._own: memoryview | None = None

    def __getitem__(self, part: slice) -> memoryview:
        return self._seen[part]

    def own(self, begin: int, end: int) -> memoryview:
        """Return bytes that may be written to, which changes neither the file nor what anybody else was given."""
        if self._own is None or begin in self._given:
            self._own = memoryview(mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_COPY))
            self._given.clear()
        self._given.add(begin)
        return self._own[begin:end]


class Mapped(Array):
    """An array of Flower's whose bytes lie in a file."""

    def __init__(self, about: Array, stored: Stored, begin: int, size: int) -> None:
        """Take what an array is from ``about``, which may be empty, and its bytes from the file."""
        self.dtype, self.shape, self.stype = about.dtype, about.shape, about.stype
        self.__dict__.update(_stored=stored, _begin=begin, _size=size)

    @property
    def data(self) -> bytes:
        """A copy of the bytes, for code that knows nothing of this class."""
        return self.__dict__["_data"] if "_data" in self.__dict__ else bytes(self.lying)

    @data.setter
    def data(self, data: bytes) -> None:
        self.__dict__["_data"] = data

    @property
    def lying(self) -> memoryview:
        """The bytes where they lie."""
        if "_data" in self.__dict__:
            return memoryview(self.__dict__["_data"])
        begin = self.__dict__["_begin"]
        return self.__dict__["_stored"][begin : begin + self.__dict__["_size"]]

    def numpy(self) -> NDArray:
        """Return the numbers as Flower does: they may be written to, and then take memory."""
        header = None if self.__dict__["_size"] < _COPIED or "_data" in self.__dict__ else self._header()
        if header is None:
            return super().numpy()
        begin = self.__dict__["_begin"]
        return numbers_in(self.__dict__["_stored"].own(begin, begin + self.__dict__["_size"]), header)

    def cut(self, about: Array, begin: int, size: int, kind: type[Mapped] | None = None) -> Mapped:
        """Return an array whose bytes are a part of these."""
        return (kind or Mapped)(about, self.__dict__["_stored"], self.__dict__["_begin"] + begin, size)

    def __reduce__(self) -> tuple[Callable[..., Array], tuple[object, ...]]:
        """Copy it as an array in memory."""
        return Array, (self.dtype, self.shape, self.stype, self.data)

    def _header(self) -> npy.Header | None:
        """Return what lies there; nothing where NumPy is to say what is wrong, or sums would depend on the place."""
        try:
            header = header_of(self)
        except ValueError:
            return None
        lies_even = (self.__dict__["_begin"] + header.begin) % np.dtype(header.descr).alignment == 0
        return header if lies_even else None


# Flower writes the name of the class into what it sends.
Mapped.__qualname__ = Array.__qualname__


def lying(array: Array) -> bytes | memoryview:
    """Return the bytes of an array where they lie."""
    return array.lying if isinstance(array, Mapped) else array.data


def size(array: Array) -> int:
    """Return how many bytes an array has."""
    return len(lying(array))


def header_of(array: Array) -> npy.Header:
    """Return what an array says of its numbers.

    :raises ValueError: when it is not as NumPy writes it.
    """
    if array.stype != SType.NUMPY:
        raise ValueError(f"the serialization {array.stype!r} is not {SType.NUMPY}")
    data = lying(array)
    return npy.read(bytes(data[: npy.LONGEST]), len(data))


def numbers_in(data: bytes | memoryview, header: npy.Header) -> NDArray:
    """Return the numbers that lie in bytes, where they lie: no copy, and no memory for what a header only claims."""
    order: Literal["C", "F"] = "F" if header.in_fortran_order else "C"
    return np.ndarray(header.shape, header.descr, data, header.begin, order=order)


def record_of(arrays: Iterable[tuple[str, Array]]) -> ArrayRecord:
    """Return a record of just these: by its constructor, it makes other arrays of them."""
    record = ArrayRecord()
    for name, array in arrays:
        record[name] = array
    return record
