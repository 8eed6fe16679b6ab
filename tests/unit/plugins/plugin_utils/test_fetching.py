# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.plugin_utils._fetching import (
    SPARE,
    arriving,
    expect_room,
    fetched,
)

CONTENT = b"0123456789"


def piece(offset: int) -> str:
    return b64encode(CONTENT[offset : offset + 4]).decode()


def test_a_file_is_fetched_to_its_end() -> None:
    assert list(fetched(piece, 10, ValueError())) == [b"0123", b"4567", b"89"]


def test_no_more_of_a_file_is_taken_than_it_can_have() -> None:
    taken = fetched(piece, 9, ValueError("too much"))
    assert [next(taken), next(taken)] == [b"0123", b"4567"]
    with pytest.raises(ValueError, match="too much"):
        next(taken)


def test_what_arrives_takes_its_place_only_when_all_went_well(tmp_path: Path) -> None:
    dest = tmp_path / "model.npz"
    dest.write_bytes(b"old")
    with pytest.raises(ValueError, match="damaged"), arriving(str(dest)) as stream:
        stream.writelines(fetched(piece, 9, ValueError("damaged")))
    assert (dest.read_bytes(), list(tmp_path.iterdir())) == (b"old", [dest])
    with arriving(str(dest)) as stream:
        stream.write(b"whole")
        assert dest.read_bytes() == b"old"
    assert (dest.read_bytes(), list(tmp_path.iterdir())) == (b"whole", [dest])


def test_what_the_controller_has_no_room_for_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnsibleActionFail, match=f"{tmp_path} has no room for {1 << 60} bytes"):
        expect_room(str(tmp_path), 1 << 60)
    disk = SimpleNamespace(f_blocks=100, f_bavail=SPARE // 4096 + 1, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda directory: disk)
    expect_room(str(tmp_path), 4096)
    with pytest.raises(AnsibleActionFail, match="are left to others"):
        expect_room(str(tmp_path), 4097)
    disk.f_blocks = 0  # it does not tell
    expect_room(str(tmp_path), 4097)
