# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Files for the replies of a round, so that a ServerApp needs the memory of a few models and the disk of many.

No file here has a name: whatever ends the process, the system takes back what it held. A reply that the disk has no
room for stays in memory, as does a round that is small.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from flwr.app import Array, ArrayRecord

from .knowledge._config.sizing import MEGABYTE, said
from .mapped import Mapped, Stored, size
from .publish import logger

DIRECTORY = "FEDOPS_SCRATCH_DIR"
_USUAL = "/var/tmp"  # unlike /tmp, it is on a disk; units have one of their own
SMALL = 64 * MEGABYTE  # of all replies of a round together

_SPARE = 256 * MEGABYTE  # is left to others
_MODELS = 4  # are left to the next checkpoint on the same disk: no strategy of Flower keeps more with the model
_IN_MEMORY = ("tmpfs", "ramfs")
_ALIGNED = 64  # bytes, as NumPy writes its headers


@dataclass(frozen=True)
class Spilled:
    """A piece of a reply that waits in a file."""

    file: BinaryIO
    begin: int
    size: int

    def __len__(self) -> int:
        return self.size

    def read(self) -> bytes:
        """Return it."""
        return os.pread(self.file.fileno(), self.size, self.begin)


class Spill:
    """A file with the pieces of a reply that is arriving, in any order."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._file: BinaryIO | None = None
        self._end = 0
        self._is_closed = False
        self._lock = threading.Lock()  # pieces are fetched from several threads

    def put(self, piece: bytes) -> Spilled | bytes:
        """Write a piece; return what stands for it, which is the piece itself where there is no room."""
        with self._lock:
            if self._is_closed:
                return piece
            try:
                self._scratch.check(len(piece))
                self._file = self._file or self._scratch.file()
                _write(self._file, self._end, piece)
            except OSError as error:
                self._is_closed = True
                self._scratch.tell(error.strerror or str(error))
                return piece
            begin, self._end = self._end, self._end + len(piece)
            return Spilled(self._file, begin, len(piece))


class Scratch:
    """Where the replies of a round lie until they are a model."""

    def __init__(self, checkpoints: str | None = None) -> None:
        """Keep room for a checkpoint where the directory ``checkpoints`` is on the same disk."""
        self._directory = os.environ.get(DIRECTORY) or _USUAL
        self._beside = checkpoints is not None and _same_disk(self._directory, checkpoints)
        self._left = _SPARE
        self._is_told = False

    def serves(self, model: int, replies: int) -> bool:
        """Tell whether so many replies with a model of so many bytes go to the disk."""
        if model * replies < SMALL:
            return False
        self._left = _SPARE + (_MODELS * model if self._beside else 0)
        if _is_in_memory(self._directory):
            self.tell("which is itself in memory, there is no room that is not")
            return False
        return True

    def store(self, records: Iterable[ArrayRecord]) -> None:
        """Move arrays to a file, where there is room; they are the same arrays to whoever uses them."""
        # Several records may have the same array, and one may be named several times.
        given = {(id(record), name): (record, array) for record in records for name, array in record.items()}
        places = [
            (record, name, array) for (_id, name), (record, array) in given.items() if not isinstance(array, Mapped)
        ]
        arrays = {id(array): array for _record, _name, array in places}
        kept = self.keep([(each, (each.data,)) for each in arrays.values()], sum(map(size, arrays.values())))
        instead = dict(zip(arrays, kept or arrays.values(), strict=True))
        for record, name, array in places:
            record[name] = instead[id(array)]

    def keep(self, arrays: Iterable[tuple[Array, Iterable[bytes]]], total: int) -> list[Mapped] | None:
        """Write arrays, each with the pieces of its bytes, to a file; return None where there is no room.

        ``total`` is how many bytes they are together.
        """
        places: list[tuple[Array, int, int]] = []
        end = 0
        try:
            self.check(total)
            file = self.file()
            for about, pieces in arrays:
                end += -end % _ALIGNED
                begin = end
                for piece in pieces:
                    _write(file, end, piece)
                    end += len(piece)
                places.append((about, begin, end - begin))
            stored = Stored(file) if end else None
        except OSError as error:
            self.tell(error.strerror or str(error))
            return None
        return [Mapped(about, stored, begin, length) for about, begin, length in places] if stored else None

    def check(self, more: int) -> None:
        """Raise OSError where there is no room for so many bytes, and for what is not ours to take."""
        found = os.statvfs(self._directory)
        if (free := found.f_bavail * found.f_frsize) < more + self._left:
            whose = "the next checkpoint and others" if self._beside else "others"
            raise OSError(errno.ENOSPC, f"{said(free)} are free, of which {said(self._left)} are left to {whose}")

    def file(self) -> BinaryIO:
        """Return a new file without a name."""
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._directory, buffering=0))

    def tell(self, reason: str) -> None:
        """Say once why replies stay in memory."""
        if not self._is_told:
            self._is_told = True
            logger.warning(
                "The replies of a round stay in memory, all of them at a time: on the disk of %s (%s), %s.",
                self._directory,
                DIRECTORY,
                reason,
            )


def _write(file: BinaryIO, begin: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(file.fileno(), view, begin)
        view, begin = view[written:], begin + written


def _same_disk(one: str, other: str) -> bool:
    """Tell whether two directories share their room; one that is not there yet is where its parent is."""
    try:
        return os.stat(one).st_dev == os.stat(_there(other)).st_dev
    except OSError:
        return True


def _there(path: str) -> Path:
    found = Path(path).absolute()
    return next((each for each in (found, *found.parents) if each.exists()), found)


def _is_in_memory(path: str) -> bool:
    """Tell whether a directory lies on a file system that is memory, as far as the system says so."""
    try:
        device = os.stat(path).st_dev
        rows = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    except OSError:
        return False
    name = f"{os.major(device)}:{os.minor(device)}"
    # ID parent major:minor root place options ... - type source options
    return any(row.split()[2] == name and row.partition(" - ")[2].split()[0] in _IN_MEMORY for row in rows)
