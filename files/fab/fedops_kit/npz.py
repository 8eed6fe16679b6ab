# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Arrays to .npz and back. The same arrays always make the same file, and ``numpy.load`` opens it."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from typing import IO, cast

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from .knowledge._checkpoint import npy
from .knowledge._checkpoint.manifest import opened
from .knowledge._checkpoint.npz import members
from .mapped import lying, size

_NUMPY_SERIALIZATION = "numpy.ndarray"  # Flower's name for the bytes that numpy.save writes
_LONGEST_HEADER = 1 << 16  # bytes that numpy.save writes before the numbers
_PIECE = 1 << 21  # bytes; what was checksummed is still in the processor's cache when it is written
_SMALL = 1 << 16
_PIECES_AHEAD = 8  # how far writing may be ahead of hashing


class HashingWriter:
    """A file to write to, front to back, that knows the SHA-256 and the size of what was written.

    The hash is computed beside the writing, in a thread (neither holds Python's lock), and the disk is asked to begin
    at once: otherwise a save would take as long as hashing, writing and waiting for the disk together.
    """

    def __init__(self, stream: FileIO, helper: Executor) -> None:
        self.size = 0
        self._stream = stream
        self._helper = helper
        self._digest = hashlib.sha256()
        self._hashing: deque[Future[None]] = deque()
        self._gathered = bytearray()  # headers and small arrays, which are not worth a system call each

    def write(self, data: bytes | memoryview) -> int:
        """Write and hash. There is no ``tell`` or ``seek``: zipfile then writes front to back."""
        if len(data) < _SMALL:
            self._gathered += data
            if len(self._gathered) >= _PIECE:
                self.flush()
        else:
            self.flush()
            self._pass_on(data)
        return len(data)

    def flush(self) -> None:
        """Write what was gathered."""
        if self._gathered:
            self._pass_on(bytes(self._gathered))
            self._gathered.clear()

    def sha256(self) -> str:
        """Return the hash of everything written so far."""
        while self._hashing:
            self._hashing.popleft().result()
        return self._digest.hexdigest()

    def _pass_on(self, data: bytes | memoryview) -> None:
        self._hashing.append(self._helper.submit(self._digest.update, data))
        if len(self._hashing) > _PIECES_AHEAD:
            self._hashing.popleft().result()
        write_all(self._stream, data)
        # Only a wish, and not one that loses data: pages that are not on the disk yet are written, not dropped.
        with suppress(OSError):
            os.posix_fadvise(self._stream.fileno(), self.size, len(data), os.POSIX_FADV_DONTNEED)
        self.size += len(data)


@dataclass(frozen=True)
class Written:
    """What a file holds now."""

    sha256: str
    size: int


def write(stream: FileIO, arrays: Mapping[str, Array | NDArray]) -> Written:
    """Write arrays in their order, uncompressed, to an unbuffered file, and force them onto the disk."""
    with ThreadPoolExecutor(max_workers=1) as helper:
        writer = HashingWriter(stream, helper)
        with zipfile.ZipFile(cast("IO[bytes]", writer), "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name, array in arrays.items():
                # A ZipInfo made by hand carries no time of day: equal arrays make equal files. Told its size, zipfile
                # asks for ZIP64 only where it must: releases of Python differ in how they write that.
                info = zipfile.ZipInfo(name + ".npy")
                info.file_size = _size(array)
                with archive.open(info, "w") as member:
                    _write_array(_Pieces(member), array)
        writer.flush()
        os.fsync(stream.fileno())
        return Written(writer.sha256(), writer.size)


def write_all(stream: FileIO, data: bytes | memoryview) -> None:
    """Write everything: one system call may write less than it was given, and never writes more than 2 GiB."""
    rest = memoryview(data)
    while rest:
        rest = rest[stream.write(rest) :]


def read(path: str, names: Sequence[str]) -> Iterator[Array]:
    """Yield the arrays of a file, which must be these members; whatever is wrong is a ValueError or zipfile's.

    The bytes of an array are those that were saved: nothing of them is computed.
    """
    with opened(path) as stream:
        found = members(stream, os.fstat(stream.fileno()).st_size, names)
        with zipfile.ZipFile(stream) as archive:
            for member in found:
                data = archive.read(member)
                header = npy.read(data[: npy.LONGEST], len(data))
                yield Array(header.dtype, header.shape, _NUMPY_SERIALIZATION, data)


@dataclass(frozen=True)
class _Pieces:
    """A file that is written in pieces, so that checksum, hash and disk can work on different ones at a time."""

    stream: IO[bytes]

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self.stream.write(view[start : start + _PIECE])
        return len(view)


def _size(array: Array | NDArray) -> int:
    """Return how many bytes an array takes in the file, or a little more."""
    if isinstance(array, Array):
        return size(array) + _LONGEST_HEADER
    return array.nbytes + _LONGEST_HEADER


def _write_array(member: _Pieces, array: Array | NDArray) -> None:
    if isinstance(array, Array) and array.stype == _NUMPY_SERIALIZATION:
        member.write(lying(array))  # already what numpy.save would write: no second copy of a large model
    else:
        values = array.numpy() if isinstance(array, Array) else array
        np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
