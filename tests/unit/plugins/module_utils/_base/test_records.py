# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.records import (
    RecordError,
    read_object,
    read_record,
    write_object,
)


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "record.json")


def test_a_record_is_read_as_it_was_written_and_reaches_the_disk(path, monkeypatch) -> None:
    assert read_record(path) is None
    synced = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(fsync(descriptor)))
    write_object(path, {"a": [1, "é", float("nan")]}, 0o640)
    assert (read_record(path), stat.S_IMODE(os.stat(path).st_mode)) == ({"a": [1, "é", None]}, 0o640)
    assert len(synced) == 2  # the file, and the directory that has its name
    assert os.listdir(os.path.dirname(path)) == ["record.json"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": 1', "it is not whole JSON"),
        (b"\xff", "it is not whole JSON"),
        (b"[" * 100_000, "it is not whole JSON"),
        (b"[1]", "it is no object"),
    ],
)
def test_a_record_that_cannot_be_read_says_why(path, content, why) -> None:
    with open(path, "wb") as stream:
        stream.write(content)
    with pytest.raises(RecordError, match=f"^{why}$"):
        read_record(path)
    assert read_object(path) is None


def test_a_record_is_no_link_and_of_the_expected_owner_and_size(path, tmp_path) -> None:
    write_object(path, {}, 0o644)
    with pytest.raises(RecordError, match="^belongs to the user"):
        read_record(path, {os.geteuid() + 1})
    with pytest.raises(RecordError, match="^has 3 bytes, but at most 2 are read$"):
        read_record(path, limit=2)
    link = tmp_path / "link.json"
    link.symlink_to(path)
    with pytest.raises(RecordError, match="^is a link"):
        read_record(str(link))


def test_what_json_does_not_have_is_not_written_half(path) -> None:
    write_object(path, {"a": 1}, 0o644)
    with pytest.raises(TypeError):
        write_object(path, {"a": object()}, 0o644)
    assert read_record(path) == {"a": 1}
