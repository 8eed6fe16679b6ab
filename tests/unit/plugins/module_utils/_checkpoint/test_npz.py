# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of an .npz file are those that are expected, stored as they are, one after another."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from io import BytesIO

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import npz

NAMES = ("weight.npy", "biás.npy")


def written(names: Sequence[str] = NAMES, compression: int = zipfile.ZIP_STORED) -> bytes:
    class Sequential(BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("not seekable")

    stream = Sequential()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), name.encode() * 100, compression)
    return stream.getvalue()


def members(content: bytes, names: Sequence[str] = NAMES) -> list[str]:
    return [member.filename for member in npz.members(BytesIO(content), len(content), names)]


def test_what_is_written_is_read() -> None:
    assert members(written()) == list(NAMES)
    assert members(written([]), []) == []


def test_a_table_in_the_long_form_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    assert members(written()) == list(NAMES)


def many(content: bytes) -> bytes:
    """A table of a million entries, each of which would be an object."""
    at = content.index(b"PK\x01\x02")
    entry = content[at : at + 46 + len("weight.npy")]
    table = entry * 10_000
    end = b"PK\x05\x06" + bytes(4) + (10_000).to_bytes(2, "little") * 2 + len(table).to_bytes(4, "little")
    return content[:at] + table + end + at.to_bytes(4, "little") + b"\0\0"


def encrypted(content: bytes) -> bytes:
    at = content.index(b"PK\x01\x02")
    return content[: at + 8] + bytes([content[at + 8] | 1]) + content[at + 9 :]


def sharing(content: bytes) -> bytes:
    """Two members that are the same bytes."""
    at = content.rindex(b"PK\x01\x02")
    return content[: at + 42] + bytes(4) + content[at + 46 :]


def larger(content: bytes) -> bytes:
    at = content.rindex(b"PK\x01\x02")
    return content[: at + 20] + (10**6).to_bytes(4, "little") * 2 + content[at + 28 :]


BAD = {
    "a member twice": (written(["weight.npy", "weight.npy"]), NAMES),
    "a foreign member": (written([*NAMES, "more.npy"]), NAMES),
    "a member too few": (written(NAMES[:1]), NAMES),
    "another order": (written(NAMES[::-1]), NAMES),
    "compressed": (written(compression=zipfile.ZIP_DEFLATED), NAMES),
    "compressed otherwise": (written(compression=zipfile.ZIP_BZIP2), NAMES),
    "encrypted": (encrypted(written()), NAMES),
    "shared bytes": (sharing(written()), NAMES),
    "larger than it is": (larger(written()), NAMES),
    "a table without end": (many(written()), NAMES),
    "more behind": (written() + b"more", NAMES),
    "more before": (b"more" + written(), NAMES),
    "no table": (b"PK", NAMES),
    "nothing": (b"", NAMES),
    "zeros": (bytes(1000), NAMES),
}


@pytest.mark.parametrize(("content", "names"), BAD.values(), ids=BAD)
def test_everything_else_is_refused(content: bytes, names: list[str]) -> None:
    with pytest.raises(ValueError, match="."):
        members(content, names)


def test_a_changed_byte_is_another_file_or_none() -> None:
    content = written()
    table = content.index(b"PK\x01\x02")
    for position in range(table, len(content)):
        for bit in range(8):
            changed = content[:position] + bytes([content[position] ^ (1 << bit)]) + content[position + 1 :]
            try:
                assert members(changed) == list(NAMES)
            except ValueError:
                continue
