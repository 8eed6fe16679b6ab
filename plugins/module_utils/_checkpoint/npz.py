# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an .npz file, looked at before any is unpacked, as they lie, one after another.

What we write is stored, not compressed; nothing is encrypted, named twice, or shares its bytes with another member. The
table of contents says how many members there are before it is read: it could claim millions.

This module is private to the collection and may change at any time. It needs no NumPy.
"""

from __future__ import annotations

import struct
import typing as t
import zipfile

_MEMBER, _END, _END_64, _LOCATOR = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_SIZE, _END_64_SIZE, _LOCATOR_SIZE = 22, 56, 20
_ENTRY = 46 + 32  # bytes of one in the table of contents: the fixed part, and the sizes of a large member
_LOCAL = 30  # bytes before a member, its name aside
_FLAGS = 0x808  # sizes that follow the member, and a name in UTF-8; one of the others would be encryption
MOST_MEMBERS, LONGEST_NAME = 1 << 17, 1 << 10  # more arrays than any model has; bytes of a name
_FULL = 0xFFFF  # more members than the short end of the table counts


def members(stream: t.IO[bytes], size: int, names: t.Sequence[str]) -> list[zipfile.ZipInfo]:
    """Return the members of a file of so many bytes, which must be these; whatever is wrong is a ValueError."""
    begin, length, count = _table(stream, size)
    if count != len(names) or length > sum(_ENTRY + len(name.encode("utf-8", "surrogatepass")) for name in names):
        raise ValueError("the arrays in it are not those that its manifest lists")
    found = _listed(stream)
    if [member.filename for member in found] != list(names):
        raise ValueError("the arrays in it are not those that its manifest lists")
    return _whole(found, begin)


def all_members(stream: t.IO[bytes], size: int) -> list[zipfile.ZipInfo]:
    """Return the members of a file of so many bytes, whatever they are; what is wrong is a ValueError."""
    begin, length, count = _table(stream, size)
    if count > MOST_MEMBERS or length > count * (_ENTRY + LONGEST_NAME):
        raise ValueError(f"it has more than {MOST_MEMBERS} arrays, or longer names than {LONGEST_NAME} bytes")
    found = _listed(stream)
    if len(found) != count or len({member.filename for member in found}) != count:
        raise ValueError("its table of contents is not that of an .npz file")
    return _whole(found, begin)


def data_begin(stream: t.IO[bytes], member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin, behind what is said of it a second time."""
    stream.seek(member.header_offset)
    local = stream.read(_LOCAL)
    if len(local) < _LOCAL or local[:4] != _MEMBER:
        raise ValueError(f"{member.filename!r} in it is not where it says")
    return member.header_offset + _LOCAL + sum(struct.unpack("<HH", local[26:]))


def _listed(stream: t.IO[bytes]) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(stream) as archive:
            return archive.infolist()
    except OSError:
        raise
    except Exception as error:  # zipfile has many
        raise ValueError("it is not an .npz file") from error


def _whole(found: list[zipfile.ZipInfo], begin: int) -> list[zipfile.ZipInfo]:
    """Return the members where each is plain and has its bytes for itself."""
    end = 0
    for member in found:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & ~_FLAGS:
            raise ValueError(f"{member.filename!r} in it is compressed or encrypted")
        if member.compress_size != member.file_size or member.header_offset < end:
            raise ValueError(f"{member.filename!r} in it is not where or what it says")
        end = member.header_offset + _LOCAL + len(member.filename) + member.file_size
    if end > begin:
        raise ValueError("its last array does not end where it says")
    return found


def _table(stream: t.IO[bytes], size: int) -> tuple[int, int, int]:
    """Return where the table of contents begins, how long it is, and how many members it has."""
    tail_size = min(size, _END_64_SIZE + _LOCATOR_SIZE + _END_SIZE)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    if len(tail) < _END_SIZE or tail[-_END_SIZE:][:4] != _END or tail[-2:] != b"\0\0":
        raise ValueError("it is not an .npz file")
    count, length, begin = struct.unpack("<HLL", tail[-_END_SIZE + 10 : -2])
    end = size - _END_SIZE
    if tail[-_END_SIZE - _LOCATOR_SIZE :][:4] == _LOCATOR:
        long = tail[: -_END_SIZE - _LOCATOR_SIZE]
        (there,) = struct.unpack("<Q", tail[-_END_SIZE - _LOCATOR_SIZE + 8 :][:8])
        end -= _LOCATOR_SIZE + _END_64_SIZE
        if long[:4] != _END_64 or there != end:
            raise ValueError("it is not an .npz file")
        short, (count, length, begin) = count, struct.unpack("<QQQ", long[32:])
        if short != min(count, _FULL):
            raise ValueError("it is not an .npz file")
    if begin + length != end:
        raise ValueError("it is not an .npz file")
    return begin, length, count
