# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sealed archive gives back every byte or nothing, and ansible-vault opens what is sealed its way."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.fedops.flower.plugins.module_utils import _archive, _sealing
from ansible_collections.fedops.flower.plugins.module_utils._sealing import Seal, SealError
from hypothesis import given, settings
from hypothesis import strategies as st

VAULT = Seal("vault", password="correct horse")
KEPT = ["certificates", "state/superexec.secret", "trainings", "not there"]
needs_age = pytest.mark.skipif(shutil.which("age") is None, reason="age is not installed")


@pytest.fixture
def home(tmp_path: Path):
    """A home whose database has all it knows in the write-ahead log, as that of a SuperLink at work."""
    path = tmp_path / "home"
    for name, text in (
        ("certificates/server.key", "key"),
        ("state/superexec.secret", "s"),
        ("trainings/a/l.json", "{}"),
    ):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
        (path / name).chmod(0o600)
    (path / "certificates/link").symlink_to("/etc/passwd")
    with closing(sqlite3.connect(path / "state/state.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("CREATE TABLE node (name)")
        database.executemany("INSERT INTO node VALUES (?)", [(f"site{number}",) for number in range(100)])
        database.commit()
        yield path


def nodes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM node").fetchone()[0]


def create(home: Path, seal: Seal = VAULT) -> str:
    path = str(home.parent / "backup" / "flower.sealed")
    _archive.create(path, str(home), KEPT, ["state/state.db"], seal)
    return path


def age_seal(tmp_path: Path, *kinds: str) -> Seal:
    key = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    recipient = next(line.split()[-1] for line in key.splitlines() if "public key" in line)
    return Seal("age", recipients=[recipient], identity=key)


def test_a_fresh_host_gets_all_of_it_and_a_second_time_nothing(home: Path, tmp_path: Path) -> None:
    assert nodes_without_wal(home) != 100  # a copy of the file alone would have lost them
    path, fresh = create(home), tmp_path / "fresh"
    restored = ["certificates/server.key", "state/state.db", "state/superexec.secret", "trainings/a/l.json"]
    assert _archive.restore(path, str(fresh), VAULT) == restored
    assert nodes(fresh / "state/state.db") == 100
    assert (fresh / "certificates/server.key").read_text() == "key"
    assert oct((fresh / "certificates/server.key").stat().st_mode & 0o777) == "0o600"
    assert _archive.restore(path, str(fresh), VAULT) == []
    assert [name for name in os.listdir(fresh) if name.startswith(".")] == []


@pytest.mark.parametrize("call", ["lstat", "stat"])
def test_a_temporary_file_that_is_gone_again_is_left_out(
    home: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A training that goes on writes each of its files under another name first."""
    fleeting = home / "trainings/a/.state.json.tmp"
    fleeting.write_text("{}")
    ask = getattr(os, call)

    def too_late(path, *arguments, **more):
        if str(path) == str(fleeting):
            fleeting.unlink(missing_ok=True)
        return ask(path, *arguments, **more)

    monkeypatch.setattr(os, call, too_late)
    kept = _archive.verify(create(home), VAULT)
    assert sorted(kept) == ["certificates/server.key", "state/state.db", "state/superexec.secret", "trainings/a/l.json"]


def nodes_without_wal(home: Path) -> int:
    copy = home.parent / "copied-alone.db"
    shutil.copy(home / "state/state.db", copy)
    try:
        return nodes(copy)
    except sqlite3.DatabaseError:
        return 0


def test_what_is_there_with_other_contents_is_not_touched(home: Path, tmp_path: Path) -> None:
    path, other = create(home), tmp_path / "other"
    (other / "certificates").mkdir(parents=True)
    (other / "certificates/server.key").write_text("another")
    with pytest.raises(
        _archive.ArchiveError, match="already has certificates/server.key, with other contents. Nothing"
    ):
        _archive.restore(path, str(other), VAULT)
    assert sorted(str(found.relative_to(other)) for found in other.rglob("*")) == [
        "certificates",
        "certificates/server.key",
    ]


def test_nothing_lies_there_in_plain_text(home: Path) -> None:
    path = Path(create(home))
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert b"server.key" not in path.read_bytes()


@pytest.mark.parametrize(
    ("seal", "said"),
    [
        (Seal("none"), "method is 'none' but must be one of age, vault: nothing is kept in plain text"),
        (Seal("vault"), "method is vault, which needs password"),
        (Seal("age"), "method is age, which needs recipients"),
    ],
)
def test_plain_text_is_refused(home: Path, seal: Seal, said: str) -> None:
    with pytest.raises(SealError, match=said):
        create(home, seal)
    assert list((home.parent / "backup").iterdir()) == []


def test_another_password_opens_nothing(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SealError, match="another password has sealed it, or it is damaged"):
        _archive.verify(create(home), Seal("vault", password="wrong"))


def test_a_bit_that_has_changed_is_seen_wherever_it_is(home: Path) -> None:
    path = Path(create(home))
    whole = path.read_bytes()
    assert "state/state.db" in _archive.verify(str(path), VAULT)
    for position in range(0, len(whole), len(whole) // 40):
        damaged = bytearray(whole)
        damaged[position + whole[position : position + 1].isspace()] ^= 1  # any space is as good as another
        path.write_bytes(damaged)
        with pytest.raises((SealError, _archive.ArchiveError)):
            _archive.verify(str(path), VAULT)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SealError):
        _archive.verify(str(path), VAULT)


def test_a_damaged_database_is_not_kept(home: Path) -> None:
    (home / "state/state.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    for name in ("state.db-wal", "state.db-shm"):
        (home / "state" / name).unlink(missing_ok=True)
    with pytest.raises((_archive.ArchiveError, sqlite3.DatabaseError)):
        create(home)
    assert list((home.parent / "backup").iterdir()) == []


def test_a_missing_database_is_told(home: Path) -> None:
    with pytest.raises(_archive.ArchiveError, match="none.db is missing: there is no state to be kept"):
        _archive.create(str(home.parent / "b" / "x"), str(home), [], ["none.db"], VAULT)


@given(st.binary(max_size=200), st.text(min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_ansible_vault_and_we_open_each_other(content: bytes, password: str) -> None:
    content = b"x" + content  # ansible-vault refuses what looks sealed already
    theirs = VaultLib([("default", VaultSecret(password.encode()))])
    assert theirs.decrypt(_sealing.vault_seal(content, password)) == content
    assert _sealing.vault_open(theirs.encrypt(content), password) == content


def test_a_bit_that_changes_nothing_is_the_only_one_that_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the case of a hexadecimal digit does, or another kind of space."""
    monkeypatch.setattr(_sealing, "_ROUNDS", 1)
    content = b"what is kept"
    whole = _sealing.vault_seal(content, "p")
    opened = 0
    for position in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[position] ^= 1 << bit
            with suppress(SealError):
                assert _sealing.vault_open(bytes(changed), "p") == content
                opened += 1
    assert 0 < opened < len(whole)


@needs_age
def test_what_is_no_archive_at_all_is_refused_at_once(tmp_path: Path) -> None:
    """More than a pipe holds: whoever waits for its end must have read it to the end."""
    seal, path = age_seal(tmp_path), tmp_path / "foreign"
    path.write_bytes(os.urandom(2_000_000))
    subprocess.run(["age", "--recipient", *seal.recipients, "--output", f"{path}.age", str(path)], check=True)
    with pytest.raises(_archive.ArchiveError, match="foreign.age is damaged: "):
        _archive.verify(f"{path}.age", seal)
    sealed = Path(f"{path}.age").read_bytes()
    Path(f"{path}.age").write_bytes(sealed[:-1])
    with pytest.raises(SealError, match="cannot be opened: failed to decrypt and authenticate"):
        _archive.verify(f"{path}.age", seal)


@needs_age
def test_age_gives_back_what_it_was_given(home: Path, tmp_path: Path) -> None:
    seal = age_seal(tmp_path)
    path, fresh = create(home, seal._replace(identity="")), tmp_path / "fresh"
    assert len(_archive.restore(path, str(fresh), seal)) == 4
    assert nodes(fresh / "state/state.db") == 100
    content = Path(path).read_bytes()
    for damaged in (content[:-20], content[:300] + b"x" + content[301:]):
        Path(path).write_bytes(damaged)
        with pytest.raises((SealError, _archive.ArchiveError)):
            _archive.verify(path, seal)


@needs_age
def test_age_says_why_it_refuses(home: Path, tmp_path: Path) -> None:
    with pytest.raises(SealError, match="age cannot seal the archive: .*nonsense"):
        create(home, Seal("age", recipients=["nonsense"]))
    seal = age_seal(tmp_path)
    with pytest.raises(SealError, match="cannot be opened: no identity matched any of the recipients"):
        _archive.verify(create(home, seal), age_seal(tmp_path))
