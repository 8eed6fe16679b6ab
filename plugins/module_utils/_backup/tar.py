# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a tar archive that may be anybody's: headers of regular files, one after the other, and no more.

Python's own reader takes links, devices, sparse files and headers of any size, and all of them into memory.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import tarfile
import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError

BLOCK = 512
_CHUNK = 1 << 20
_LONGEST_HEADER = 1 << 14  # bytes of an extended header, which holds a long name or a large size
_KINDS: t.Mapping[bytes, str] = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.DIRTYPE: "a directory",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}


class TarError(FedopsError):
    """What is read is no archive, or not all of one."""


@dataclass
class TarMember:
    """One file of an archive; C(kind) says what it is when it is no regular one."""

    name: str
    size: int
    mode: int
    kind: str
    _stream: t.IO[bytes]
    _left: int

    def chunks(self) -> t.Iterator[bytes]:
        """Return its content, which can be read once, and only before the next member."""
        while self._left:
            chunk = _exactly(self._stream, min(_CHUNK, self._left))
            self._left -= len(chunk)
            yield chunk


def members(stream: t.IO[bytes]) -> t.Iterator[TarMember]:
    """Return the members in their order."""
    extended: dict[str, str] = {}
    while True:
        block = _exactly(stream, BLOCK)
        if not block.strip(b"\0"):
            return  # its end; what follows is filling
        info = _header(block)
        if info.type == tarfile.XHDTYPE:
            if not 0 < info.size <= _LONGEST_HEADER:
                raise TarError(f"a header of {info.size} bytes")
            extended = _records(_exactly(stream, info.size))
            _exactly(stream, -info.size % BLOCK)
            continue
        size = _number(extended.get("size"), info.size)
        regular = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and set(extended) <= {"path", "size", "mtime"}
        kind = "" if regular else _KINDS.get(info.type, "no regular file")
        member = TarMember(extended.get("path", info.name), size, info.mode, kind, stream, size)
        extended = {}
        yield member
        for dummy in member.chunks():
            pass
        _exactly(stream, -size % BLOCK)


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError) as error:
        raise TarError(str(error)) from None
    if info.size < 0:
        raise TarError("a size below 0")
    return info


def _records(text: bytes) -> dict[str, str]:
    """Return what an extended header says: LENGTH KEY=VALUE, one a line."""
    found, rest = {}, text
    while rest:
        length, dummy, dummy2 = rest.partition(b" ")
        if not length.isdigit() or not len(length) + 3 <= int(length) <= len(rest):
            raise TarError("a header that cannot be read")
        record, rest = rest[len(length) + 1 : int(length)], rest[int(length) :]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or record[-1:] != b"\n":
            raise TarError("a header that cannot be read")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
    return found


def _number(text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not text.isdigit() or len(text) > 18:
        raise TarError("a size that is no number")
    return int(text)


def _exactly(stream: t.IO[bytes], size: int) -> bytes:
    """Read so many bytes: a pipe gives them in pieces."""
    pieces, left = [], size
    while left:
        piece = stream.read(left)
        if not piece:
            raise TarError("it ends in the middle")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
