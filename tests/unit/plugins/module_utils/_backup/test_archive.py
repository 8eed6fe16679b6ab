# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a sealed archive of a host holds: all that is on the list, and nothing that an account has planted."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._backup import archive as _archive
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import unpack as _unpack

from .archives import NAMES, SEAL, as_root, create, plant_link


def test_a_temporary_file_is_left_out(home: Path) -> None:
    """A training that goes on writes each of its files under another name first."""
    (home / "trainings/a/.state.json.tmp").write_text("{}")
    assert sorted(_unpack.verify(create(home), SEAL)) == NAMES


def test_a_file_that_is_gone_when_it_is_to_be_read_is_left_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    regular_file = _archive.guarded.regular_file

    def too_late(path: str, *arguments: object):
        if path.endswith("ledger.json"):
            os.unlink(path)
        return regular_file(path, *arguments)

    monkeypatch.setattr(_archive.guarded, "regular_file", too_late)
    assert sorted(_unpack.verify(create(home), SEAL)) == sorted({*NAMES} - {"trainings/a/ledger.json"})


def plant_sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def plant_second_name(path: Path) -> None:
    other = path.parents[3] / "shadow"
    other.write_text("secret")
    os.link(other, path)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (plant_link, "it is a link, and is not followed"),
        (os.mkfifo, "it is no regular file"),
        (os.mkdir, "it is no regular file"),
        (plant_sparse, "it has 1099511627776 bytes, but at most"),
        (plant_second_name, "it has another name somewhere else, and may be anybody's"),
    ],
)
def test_what_an_account_plants_is_told_and_not_read(home: Path, plant, said: str) -> None:
    path = home / "published/a/result.json"
    plant(path)
    archive = str(home.parent / "backup/flower.sealed")
    kept = _archive.create(archive, str(home), SEAL)
    (problem,) = [problem for problem in kept.problems if "certificates/link" not in problem]
    assert problem.startswith(f"published/a/result.json is not in the backup: {said}")
    assert sorted(_unpack.verify(archive, SEAL)) == NAMES


def test_a_file_that_grows_is_kept_as_it_was_opened(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "published/a/history.jsonl"
    size, fstat = path.stat().st_size, os.fstat

    def growing(descriptor: int) -> os.stat_result:
        found = fstat(descriptor)
        if os.path.samestat(found, path.stat()):
            with path.open("a") as stream:
                stream.write("x" * 100000)
        return found

    monkeypatch.setattr(os, "fstat", growing)
    entries = _unpack.verify(create(home), SEAL)
    assert entries["published/a/history.jsonl"]["bytes"] < size + 300000


def test_folders_that_an_account_fills_are_not_walked(home: Path) -> None:
    """Only trainings that the supervisors know are asked for what their ServerApps have published."""
    for number in range(50):
        (home / f"published/x{number}").mkdir()
        (home / f"published/x{number}/result.json").write_text("{}")
    assert sorted(_unpack.verify(create(home), SEAL)) == NAMES


@as_root
def test_the_database_is_opened_as_the_account_that_owns_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret.db"
    with closing(sqlite3.connect(secret)) as database:
        database.execute("CREATE TABLE password (text)")
    secret.chmod(0o600)
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (home / "state" / name).unlink()
    (home / "state/state.db").symlink_to(secret)
    with pytest.raises(_database.ArchiveError, match="is no regular file"):
        create(home)
    (home / "state/state.db").unlink()
    os.link(secret, home / "state/state.db")
    os.chown(secret, 4321, 4321)
    with pytest.raises(_database.ArchiveError, match="belongs to the user 4321, and its directory to 49998"):
        create(home)
    (home / "state/state.db").unlink()
    secret.rename(home / "state/state.db")
    secret = home / "state/state.db"
    os.chown(secret, 49998, 49998)
    judge = _database._judge
    monkeypatch.setattr(_database, "_judge", lambda path: f"{os.geteuid()} {judge(path)}")
    with pytest.raises(_database.ArchiveError, match="is damaged: 49998 ok"):
        _database.snapshot(str(home / "state/state.db"), str(tmp_path / "copied.db"))


def test_a_damaged_database_is_not_kept(home: Path) -> None:
    (home / "state/state.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    for name in ("state.db-wal", "state.db-shm"):
        (home / "state" / name).unlink(missing_ok=True)
    with pytest.raises((_database.ArchiveError, sqlite3.DatabaseError)):
        create(home)
    assert list((home.parent / "backup").iterdir()) == []


def test_a_missing_database_is_told(home: Path) -> None:
    (home / "state/state.db").unlink()
    with pytest.raises(_database.ArchiveError, match="state.db is missing: there is no state to be kept"):
        create(home)
