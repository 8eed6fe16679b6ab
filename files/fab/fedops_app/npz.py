# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Arrays to .npz and back. The same arrays always make the same file, and ``numpy.load`` opens it."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from typing import BinaryIO

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

_NUMPY_SERIALIZATION = "numpy.ndarray"  # Flower's name for the bytes that numpy.save writes


class HashingWriter:
    """A file to write to, front to back, that knows the SHA-256 and the size of what was written."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write and hash. There is no ``tell`` or ``seek``: zipfile then writes front to back."""
        self._digest.update(data)
        self.size += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """Pass on."""
        self._stream.flush()

    @property
    def sha256(self) -> str:
        """The hash of everything written so far."""
        return self._digest.hexdigest()


def write(stream: BinaryIO, arrays: Mapping[str, Array | NDArray]) -> HashingWriter:
    """Write arrays in their order, uncompressed, and force them onto the disk."""
    writer = HashingWriter(stream)
    with zipfile.ZipFile(writer, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            # A ZipInfo made by hand carries no time of day: equal arrays make equal files.
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=True) as member:
                _write_array(member, array)
    stream.flush()
    os.fsync(stream.fileno())
    return writer


def read(path: str) -> Iterator[tuple[str, NDArray]]:
    """Yield the arrays of a file in the order in which they were written."""
    with np.load(path, allow_pickle=False) as archive:
        for name in archive.files:
            yield name, archive[name]


def _write_array(member: BinaryIO, array: Array | NDArray) -> None:
    if isinstance(array, Array) and array.stype == _NUMPY_SERIALIZATION:
        member.write(array.data)  # already what numpy.save would write: no second copy of a large model
    else:
        values = array.numpy() if isinstance(array, Array) else array
        np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
