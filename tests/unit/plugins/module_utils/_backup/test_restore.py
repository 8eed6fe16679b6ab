# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host gets back: all of it, with its owners, and nothing in the place of what is there."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.fedops.flower.plugins.module_utils._backup import archive as _archive
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import kept as _kept
from ansible_collections.fedops.flower.plugins.module_utils._backup import restore as _restore
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import Seal

from .archives import FILES, GOOD, NAMES, NUMBERS, SEAL, as_root, create, facts, nodes, plant_link, sealed


def test_a_fresh_host_gets_all_of_it_and_a_second_time_nothing(home: Path, tmp_path: Path) -> None:
    assert nodes_without_wal(home) != 100  # a copy of the file alone would have lost them
    path, fresh = create(home), tmp_path / "fresh"
    assert _restore.restore(path, str(fresh), SEAL) == NAMES
    assert nodes(fresh / "state/state.db") == 100
    assert {name: (fresh / name).read_text() for name in FILES} == {name: text for name, (text, _own) in FILES.items()}
    assert _restore.restore(path, str(fresh), SEAL) == []
    assert [name for name in os.listdir(fresh) if name.startswith(".")] == []


@as_root
def test_owners_are_accounts_of_the_host_by_their_names_and_modes_those_of_the_list(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fresh = create(home), tmp_path / "fresh"
    monkeypatch.setitem(NUMBERS, "flower-superlink", 1234)
    monkeypatch.setitem(NUMBERS, "trainer", 5678)
    _restore.restore(path, str(fresh), SEAL, user="trainer")
    assert facts(fresh) == {
        "certificates": (0, 0, "0o755"),
        "certificates/server.crt": (0, 0, "0o644"),
        "certificates/server.key": (0, 0, "0o600"),
        "certificates/superexec.secret": (0, 0, "0o600"),
        "published": (5678, 5678, "0o750"),
        "published/a": (5678, 5678, "0o750"),
        "published/a/history.jsonl": (5678, 5678, "0o640"),
        "published/a/privacy.jsonl": (5678, 5678, "0o640"),
        "published/a/previous": (5678, 5678, "0o750"),
        "published/a/previous/20261126T032015.000123Z": (5678, 5678, "0o750"),
        "published/a/previous/20261126T032015.000123Z/result.json": (5678, 5678, "0o640"),
        "records": (0, 0, "0o755"),
        "records/supernodes.json": (0, 0, "0o644"),
        "state": (1234, 1234, "0o700"),
        "state/state.db": (1234, 1234, "0o600"),
        "trainings": (49997, 5678, "0o750"),
        "trainings/a": (49997, 5678, "0o750"),
        "trainings/a/ledger.json": (49997, 49997, "0o640"),
        "trainings/quiesced.json": (49997, 49997, "0o644"),
    }


def test_secrets_that_a_fresh_host_has_made_make_way(home: Path, tmp_path: Path) -> None:
    """The role makes them before anything can be brought back."""
    path, fresh = create(home), tmp_path / "fresh"
    (fresh / "certificates").mkdir(parents=True)
    (fresh / "certificates/superexec.secret").write_text("born here")
    assert _restore.restore(path, str(fresh), SEAL) == NAMES
    assert (fresh / "certificates/superexec.secret").read_text() == "s"
    (fresh / "certificates/superexec.secret").write_text("another")
    with pytest.raises(_database.ArchiveError, match=r"already has certificates/superexec.secret, with other contents"):
        _restore.restore(path, str(fresh), SEAL)  # a host with a state of its own


ONE_ACCOUNT = Path(__file__).parent / "fixtures/superlink-one-account.sealed"
CLAIMS = ("effective.json", "failure.json", "history.jsonl", "result.json")


def test_an_archive_of_a_release_with_one_account_for_all_goes_to_its_places_of_today(tmp_path: Path) -> None:
    """It was made by the release of that time, of a home with all that it kept, and the controller has opened it."""
    opened = tmp_path / "opened"
    opened.write_bytes(VaultLib([("default", VaultSecret(b"correct horse"))]).decrypt(ONE_ACCOUNT.read_bytes()))
    restored = _restore.restore(
        str(ONE_ACCOUNT),
        str(tmp_path / "home"),
        Seal(opened=str(opened)),
        required=["certificates/superexec.secret", "state/state.db"],
    )
    assert restored == sorted(
        [
            *(f"certificates/{name}" for name in ("ca.crt", "server.crt", "server.csr", "server.key")),
            "certificates/superexec.secret",
            *(f"published/heart/{name}" for name in CLAIMS),
            "published/heart/previous/20261126T032015.000123Z/history.jsonl",
            "records/supernodes.json",
            "state/state.db",
            *(f"trainings/heart/{name}" for name in _kept._ORDERS),
            "trainings/quiesced.json",
        ]
    )
    assert nodes(tmp_path / "home/state/state.db") == 2
    assert (tmp_path / "home/certificates/superexec.secret").read_text() == "secret\n"


@as_root
def test_a_home_of_somebody_else_is_refused(tmp_path: Path) -> None:
    base = tmp_path / "fresh"
    base.mkdir()
    os.chown(base, 49999, 49999)
    with pytest.raises(_database.ArchiveError, match="belongs to the user 49999, who could change what is brought"):
        _restore.restore(sealed(tmp_path, GOOD), str(base), SEAL)


@as_root
def test_a_home_that_the_account_of_the_database_cannot_reach_is_no_damage(home: Path, tmp_path: Path) -> None:
    path, closed = create(home), tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(_database.ArchiveError, match="user 49998 cannot reach .*/closed/fresh/.* on the way to it"):
        _restore.restore(path, str(closed / "fresh"), SEAL)
    assert list((closed / "fresh").iterdir()) == []


@pytest.mark.parametrize("plant", [plant_link, os.mkfifo, os.mkdir])
def test_what_is_in_the_way_is_not_followed(tmp_path: Path, plant) -> None:
    base = tmp_path / "fresh"
    (base / "certificates").mkdir(parents=True)
    plant(base / "certificates/server.key")
    with pytest.raises(_database.ArchiveError, match="already has certificates/server.key, with other contents"):
        _restore.restore(sealed(tmp_path, GOOD), str(base), SEAL)


def test_files_beside_each_other_are_those_that_are_asked_for(tmp_path: Path) -> None:
    base = tmp_path / "authority"
    base.mkdir()
    for name, mode in (("ca.crt", 0o664), ("ca.key", 0o600)):
        (base / name).write_text(name)
        (base / name).chmod(mode)
    path, fresh = str(tmp_path / "backup/authority.sealed"), tmp_path / "fresh"
    _archive.create(path, str(base), SEAL, "files", ["ca.crt", "ca.key", "gone"])
    with pytest.raises(_database.ArchiveError, match=r"holds ca.key, which is not asked for. Nothing was brought back"):
        _restore.restore(path, str(fresh), SEAL, "files", names=["ca.crt"])
    assert _restore.restore(path, str(fresh), SEAL, "files", names=["ca.crt", "ca.key"]) == ["ca.crt", "ca.key"]
    assert facts(fresh) == {"ca.crt": (0, 0, "0o644"), "ca.key": (0, 0, "0o600")}


@pytest.mark.parametrize("name", ["../ca.crt", "a/../../ca.crt", "/etc/cron.d/x", "a/ca.crt", ".profile", "", ".."])
@pytest.mark.parametrize("names", [(), ("ca.crt",)])
def test_files_beside_each_other_lie_nowhere_else(tmp_path: Path, name: str, names: tuple[str, ...]) -> None:
    base = tmp_path / "deep" / "authority"
    path = sealed(tmp_path, ("ca.crt", b"c", {}), (name, b"evil", {}))
    with pytest.raises(_database.ArchiveError, match="is not one of ours: .*is not on the list of what is brought"):
        _restore.restore(path, str(base), SEAL, "files", names=[*names, name] if names else ())
    assert list((tmp_path / "deep").rglob("*")) == [base]


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
        _database.ArchiveError, match="already has certificates/server.key, with other contents. Nothing"
    ):
        _restore.restore(path, str(other), SEAL)
    assert sorted(str(found.relative_to(other)) for found in other.rglob("*")) == [
        "certificates",
        "certificates/server.key",
    ]
