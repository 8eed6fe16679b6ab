# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sealed archive gives back every byte or nothing. The program age is needed here, as on every controller."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import restore as _restore
from ansible_collections.fedops.flower.plugins.module_utils._backup import unpack as _unpack
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import Seal, SealError

from .archives import NAMES, SEAL, create, new_seal


def test_nothing_lies_there_in_plain_text(home: Path) -> None:
    path = Path(create(home))
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert b"server.key" not in path.read_bytes()


def test_plain_text_is_refused(home: Path) -> None:
    with pytest.raises(SealError, match="recipients is empty, but age seals for at least one"):
        create(home, Seal())
    assert list((home.parent / "backup").iterdir()) == []


def test_no_key_and_another_key_open_nothing(home: Path) -> None:
    path = create(home)
    with pytest.raises(SealError, match="identity is empty"):
        _unpack.verify(path, Seal())
    with pytest.raises(SealError, match="cannot be opened: no identity matched any of the recipients"):
        _unpack.verify(path, new_seal())


def test_a_bit_that_has_changed_is_seen_wherever_it_is(home: Path) -> None:
    path = Path(create(home))
    whole = path.read_bytes()
    assert "state/state.db" in _unpack.verify(str(path), SEAL)
    for position in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        path.write_bytes(damaged)
        with pytest.raises((SealError, _database.ArchiveError)):
            _unpack.verify(str(path), SEAL)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SealError):
        _unpack.verify(str(path), SEAL)


def test_what_is_no_archive_at_all_is_refused_at_once(tmp_path: Path) -> None:
    """More than a pipe holds: whoever waits for its end must have read it to the end."""
    path = tmp_path / "foreign"
    path.write_bytes(os.urandom(2_000_000))
    subprocess.run(["age", "--recipient", *SEAL.recipients, "--output", f"{path}.age", str(path)], check=True)
    with pytest.raises(_database.ArchiveError, match="foreign.age is damaged: "):
        _unpack.verify(f"{path}.age", SEAL)
    sealed = Path(f"{path}.age").read_bytes()
    Path(f"{path}.age").write_bytes(sealed[:-1])
    with pytest.raises(SealError, match="cannot be opened: failed to decrypt and authenticate"):
        _unpack.verify(f"{path}.age", SEAL)


def test_whoever_makes_a_backup_needs_no_key_to_open_it(home: Path, tmp_path: Path) -> None:
    path = create(home, SEAL._replace(identity=""))
    assert _restore.restore(path, str(tmp_path / "fresh"), SEAL._replace(recipients=[])) == NAMES


def test_age_says_why_it_refuses(home: Path) -> None:
    with pytest.raises(SealError, match="age cannot seal the archive: .*nonsense"):
        create(home, Seal(recipients=["nonsense"]))
