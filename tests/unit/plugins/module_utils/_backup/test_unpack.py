# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives of anybody's: what is not one of ours is refused before anything is written."""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup import contents as _contents
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import kept as _kept
from ansible_collections.fedops.flower.plugins.module_utils._backup import restore as _restore
from ansible_collections.fedops.flower.plugins.module_utils._backup import tar
from ansible_collections.fedops.flower.plugins.module_utils._backup import unpack as _unpack
from hypothesis import given, settings
from hypothesis import strategies as st

from .archives import GOOD, SEAL, sealed

REFUSED = {
    "code of a release": ("releases/x/lib/python3.11/site-packages/evil.pth", b"import os", {}),
    "a program": ("bin/flwr", b"#!/bin/sh", {}),
    "an app": ("app/x/__init__.py", b"", {}),
    "an app with a name that goes up": (f"app/of_trainings/a/{'0f' * 32}/x/../../y", b"", {}),
    "an app of no training": (f"app/of_trainings/../{'0f' * 32}/x", b"", {}),
    "an app by another name than a hash": ("app/of_trainings/a/mine/x", b"", {}),
    "a checkpoint": ("checkpoints/checkpoint_round_1.npz", b"", {}),
    "a unit": ("../../etc/systemd/system/x.service", b"", {}),
    "an absolute name": ("/etc/cron.d/x", b"", {}),
    "a name that goes up": ("certificates/../bin/flwr", b"", {}),
    "a name with a dot": ("certificates/./server.crt", b"", {}),
    "a deeper name": ("certificates/a/b", b"", {}),
    "a hidden name": ("certificates/.profile", b"", {}),
    "an empty part": ("certificates//server.crt", b"", {}),
    "a newline": ("certificates/a\nb", b"", {}),
    "an escape": ("certificates/a\x1b[2Jb", b"", {}),
    "letters that look like others": ("certificates/sеrver.crt", b"", {}),
    "a long name": ("certificates/" + "a" * 200, b"", {}),
    "a name of a moment": ("published/a/previous/x/result.json", b"", {}),
    "a name of a training": ("trainings/../x/ledger.json", b"", {}),
    "another file of a training": ("trainings/a/evil.pth", b"", {}),
    "a file that runs as another": ("certificates/server.crt", b"", {"mode": 0o4755}),
    "a sticky file": ("certificates/server.crt", b"", {"mode": 0o1644}),
    "a link": ("certificates/server.crt", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/shadow"}),
    "a hard link": ("certificates/server.crt", b"", {"type": tarfile.LNKTYPE, "linkname": "certificates/server.key"}),
    "a device": ("certificates/server.crt", b"", {"type": tarfile.BLKTYPE}),
    "a pipe": ("certificates/server.crt", b"", {"type": tarfile.FIFOTYPE}),
    "a directory": ("certificates/server.crt", b"", {"type": tarfile.DIRTYPE}),
    "a sparse file": ("certificates/server.crt", b"", {"type": tarfile.GNUTYPE_SPARSE}),
    "a sparse file of another kind": ("certificates/server.crt", b"", {"pax_headers": {"GNU.sparse.size": "9"}}),
    "the same once more": GOOD,
    "the same by its older name": ("state/superexec.secret", b"", {}),
    "a large record": ("records/supernodes.json", bytes(_kept.RECORD + 1), {}),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_not_on_the_list_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    base = tmp_path / "fresh"
    path = sealed(tmp_path, GOOD, ("certificates/superexec.secret", b"s", {}), REFUSED[name])
    with pytest.raises(_database.ArchiveError, match="is not one of ours: .* Nothing was brought back") as caught:
        _restore.restore(path, str(base), SEAL)
    assert list(base.rglob("*")) == []
    assert all(letter.isprintable() for letter in str(caught.value))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = sealed(tmp_path, GOOD, *(REFUSED[name] for name in ("code of a release", "a pipe", "an absolute name")))
    with pytest.raises(_database.ArchiveError) as caught:
        _unpack.verify(path, SEAL)
    said = str(caught.value)
    assert [part in said for part in ("evil.pth", "is a pipe", "'/etc/cron.d/x'")] == [True, True, True]


@pytest.mark.parametrize(
    "contents",
    [
        False,
        [],
        {"files": []},
        {"files": {}},
        {"files": {GOOD[0]: {"sha256": "0" * 64, "mode": 0o600}}},
        {"files": {GOOD[0]: {"sha256": hashlib.sha256(b"key").hexdigest(), "mode": 0o4600}}},
        {"files": {GOOD[0]: {"sha256": hashlib.sha256(b"key").hexdigest(), "mode": "x"}}},
        {"files": {GOOD[0]: {"sha256": 5, "mode": 0o600}}},
        {"files": {"certificates/other": {"sha256": hashlib.sha256(b"key").hexdigest(), "mode": 0o600}}},
    ],
)
def test_a_list_that_is_wrong_is_refused(tmp_path: Path, contents: object) -> None:
    base = tmp_path / "fresh"
    with pytest.raises(_database.ArchiveError):
        _restore.restore(sealed(tmp_path, GOOD, contents=contents), str(base), SEAL)
    assert list(base.rglob("*")) == []


def test_a_deep_list_is_refused(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        info = tarfile.TarInfo(_contents.CONTENTS)
        info.size = 200000
        archive.addfile(info, io.BytesIO(b"[" * 200000))
    with SEAL.writing(str(tmp_path / "deep")) as stream:
        stream.write(raw.getvalue())
    with pytest.raises(_database.ArchiveError, match="its list of contents cannot be read"):
        _unpack.verify(str(tmp_path / "deep"), SEAL)


@pytest.mark.parametrize("cut", [9000, 10000, 10230])
def test_what_is_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    with pytest.raises(_database.ArchiveError):
        _unpack.verify(sealed(tmp_path, GOOD, cut=cut), SEAL)


def test_more_than_there_is_room_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unpack, "_free", lambda folder: 100)
    with pytest.raises(_database.ArchiveError, match=r"it holds [0-9]+ bytes, and 100 are free"):
        _unpack.verify(sealed(tmp_path, ("state/state.db", bytes(200), {})), SEAL)


def test_a_header_that_promises_a_lot_takes_no_memory(tmp_path: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE, tarfile.REGTYPE):
        info = tarfile.TarInfo("certificates/server.crt")
        info.type, info.size = kind, 1 << 40
        with SEAL.writing(str(tmp_path / "bomb")) as stream:
            stream.write(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
        with pytest.raises(_database.ArchiveError):
            _unpack.verify(str(tmp_path / "bomb"), SEAL)


@given(st.binary(max_size=3000))
@settings(max_examples=200, deadline=None)
def test_whatever_is_read_is_an_archive_or_an_error(content: bytes) -> None:
    with suppress(tar.TarError):
        for member in tar.members(io.BytesIO(content)):
            b"".join(member.chunks())


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=200),
            st.binary(max_size=2000),
        ),
        max_size=5,
    )
)
@settings(max_examples=100, deadline=None)
def test_what_python_writes_is_read(entries: list[tuple[str, bytes]]) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    raw.seek(0)
    found = [(member.name, b"".join(member.chunks()), member.kind) for member in tar.members(raw)]
    assert found == [(name, content, "") for name, content in entries]
