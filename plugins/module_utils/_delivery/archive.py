# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of a package: a .tar.gz of regular files that has one form only, so that its bytes follow from them.

Nothing is compressed (RFC 1951, "Non-compressed blocks"): weights hardly shrink, what another zlib makes of the same
files would be another archive, and what is not compressed cannot swell when it is read.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import tarfile
import typing as t
import zlib

_BLOCK = 512  # bytes of a header, and what the bytes of a file are filled up to
LONGEST_PATH = 100  # bytes; a longer one would need a second header
_STORED = 0xFFFF  # bytes of a block of gzip
_HEAD = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # neither a name nor a time nor a system
_END = bytes(2 * _BLOCK)
_SIZES = 8  # bytes at the end of gzip: the checksum, and the length


class ArchiveWriter:
    """Writes files into an archive, one after another; C(finish) ends it."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        self._stream, self._waiting, self._checksum, self._length = stream, bytearray(), 0, 0
        stream.write(_HEAD)

    def add(self, path: str, size: int, pieces: t.Iterable[bytes]) -> None:
        """Write a file, whose pieces must have so many bytes together."""
        self._write(header(path, size))
        written = 0
        for piece in pieces:
            written += len(piece)
            self._write(piece)
        if written != size:
            raise ValueError(f"{path} has {written} bytes, not {size}")
        self._write(bytes(-size % _BLOCK))

    def finish(self) -> None:
        self._write(_END)
        self._put(self._waiting, is_last=True)
        self._stream.write(self._checksum.to_bytes(4, "little") + (self._length % (1 << 32)).to_bytes(4, "little"))

    def _write(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._length += len(data)
        self._waiting += data
        ready = max(0, len(self._waiting) - 1) // _STORED * _STORED  # a full block may still become the last
        for begin in range(0, ready, _STORED):
            self._put(self._waiting[begin : begin + _STORED])
        del self._waiting[:ready]

    def _put(self, block: bytes | bytearray, is_last: bool = False) -> None:
        length = len(block)
        self._stream.write(bytes([is_last]) + length.to_bytes(2, "little") + (length ^ _STORED).to_bytes(2, "little"))
        self._stream.write(block)


class ArchiveReader:
    """Reads files out of an archive, one after another; whatever has another form than ours is a ValueError."""

    def __init__(self, stream: t.IO[bytes]) -> None:
        self._stream, self._block, self._at = stream, b"", 0
        self._checksum, self._length, self._was_last = 0, 0, False
        if stream.read(len(_HEAD)) != _HEAD:
            raise ValueError("it does not begin as a package does")

    def member(self) -> tuple[str, int]:
        """Return the path and the size of the next file, which is expected."""
        block = self._exactly(_BLOCK)
        if block == _END[:_BLOCK]:
            raise ValueError("it has fewer files than its manifest lists")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise ValueError("one of its headers is damaged") from error
        shown = ascii(info.name[:LONGEST_PATH])
        if not info.isreg():
            kind = "a link" if info.issym() or info.islnk() else "no regular file"
            raise ValueError(f"{shown} in it is {kind}")
        if info.name.startswith("/") or ".." in info.name.split("/"):
            raise ValueError(f"{shown} in it leads out of its folder")
        if block != header(info.name, info.size):
            raise ValueError(f"the header of {shown} in it is not one of ours")
        return info.name, info.size

    def pieces(self, size: int) -> t.Iterator[bytes]:
        """Yield the bytes of the file whose header was read."""
        left = size
        while left:
            piece = self._some(left)
            left -= len(piece)
            yield piece
        if any(self._exactly(-size % _BLOCK)):
            raise ValueError("there is something between its files")

    def finish(self) -> None:
        """Expect the end."""
        if any(self._exactly(len(_END))) or self._at < len(self._block) or not self._was_last:
            raise ValueError("there is something behind its files")
        sizes = self._checksum.to_bytes(4, "little") + (self._length % (1 << 32)).to_bytes(4, "little")
        if self._stream.read(_SIZES) != sizes or self._stream.read(1):
            raise ValueError("its checksum is wrong, or something stands behind it")

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            found += self._some(size - len(found))
        return bytes(found)

    def _some(self, most: int) -> bytes:
        """Return the next bytes, one at least."""
        if self._at == len(self._block):
            self._next()
        piece = self._block[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def _next(self) -> None:
        head = b"" if self._was_last else self._stream.read(5)
        if len(head) < 5:
            raise ValueError("it is cut short")
        if head[0] not in (0, 1):
            raise ValueError("it is compressed, as no package is")
        self._was_last, length = bool(head[0]), int.from_bytes(head[1:3], "little")
        if length ^ _STORED != int.from_bytes(head[3:], "little") or not length:
            raise ValueError("one of its blocks is damaged")
        if not self._was_last and length != _STORED:
            raise ValueError("its blocks are not those of a package")
        self._block, self._at = self._stream.read(length), 0
        if len(self._block) != length:
            raise ValueError("it is cut short")
        self._checksum = zlib.crc32(self._block, self._checksum)
        self._length += length


def header(path: str, size: int) -> bytes:
    """Return what stands before a regular file that is nobody's and has no time."""
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, 0o644
    found = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")
    if len(found) != _BLOCK:
        raise ValueError(f"{path} is longer than {LONGEST_PATH} bytes")
    return found


def size_of(sizes: t.Iterable[int]) -> int:
    """Return the bytes of an archive whose files have these sizes."""
    inside = sum(_BLOCK + size + -size % _BLOCK for size in sizes) + len(_END)
    return len(_HEAD) + inside + 5 * (-(-inside // _STORED)) + _SIZES
