# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sealed archive gives back every byte or nothing. The program age is needed here, as on every controller."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pwd
import shutil
import sqlite3
import subprocess
import tarfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.fedops.flower.plugins.module_utils._backup import apps as _apps
from ansible_collections.fedops.flower.plugins.module_utils._backup import archive as _archive
from ansible_collections.fedops.flower.plugins.module_utils._backup import contents as _contents
from ansible_collections.fedops.flower.plugins.module_utils._backup import database as _database
from ansible_collections.fedops.flower.plugins.module_utils._backup import kept as _kept
from ansible_collections.fedops.flower.plugins.module_utils._backup import restore as _restore
from ansible_collections.fedops.flower.plugins.module_utils._backup import tar
from ansible_collections.fedops.flower.plugins.module_utils._backup import unpack as _unpack
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import Seal, SealError
from ansible_collections.fedops.flower.plugins.module_utils._flower.fab import digest_of
from ansible_collections.fedops.flower.plugins.module_utils._flower.pinned import check_copy
from hypothesis import given, settings
from hypothesis import strategies as st


def new_seal() -> Seal:
    key = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout
    recipient = next(line.split()[-1] for line in key.splitlines() if "public key" in line)
    return Seal(recipients=[recipient], identity=key)


SEAL = new_seal()
NUMBERS = {"flower": 49999, "flower-superlink": 49998, "flower-control": 49997}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has other accounts")


@pytest.fixture
def tmp_path(open_path: Path) -> Path:
    return open_path


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with the accounts of Flower."""

    def entry(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", NUMBERS[name], NUMBERS[name], "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", entry)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: entry(next(n for n in NUMBERS if NUMBERS[n] == uid)))


FILES = {
    "certificates/server.key": ("key", 0),
    "certificates/server.crt": ("certificate", 0),
    "certificates/superexec.secret": ("s", 0),
    "records/supernodes.json": ("{}", 0),
    "trainings/quiesced.json": ("{}", 49997),
    "trainings/a/ledger.json": ("{}", 49997),
    "published/a/history.jsonl": ("{}", 49999),
    "published/a/previous/20261126T032015.000123Z/result.json": ("{}", 49999),
}
NAMES = sorted([*FILES, "state/state.db"])


@pytest.fixture
def home(tmp_path: Path):
    """A home whose database has all it knows in the write-ahead log, as that of a SuperLink at work."""
    path = tmp_path / "home"
    for name, (text, owner) in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
        (path / name).chmod(0o600)
        for place in (path / name, *(path / name).parents[: -len(path.parents) - 1]):
            give(place, owner)
    (path / "certificates/link").symlink_to("/etc/passwd")
    (path / "state").mkdir(0o700)
    with closing(sqlite3.connect(path / "state/state.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("CREATE TABLE node (name)")
        database.executemany("INSERT INTO node VALUES (?)", [(f"site{number}",) for number in range(100)])
        database.commit()
        for found in (path / "state", *(path / "state").iterdir()):
            give(found, 49998)
        yield path


def give(path: Path, owner: int) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner, owner)


def nodes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM node").fetchone()[0]


def create(home: Path, seal: Seal = SEAL) -> str:
    path = str(home.parent / "backup" / "flower.sealed")
    _archive.create(path, str(home), seal)
    return path


def facts(base: Path) -> dict[str, tuple[int, int, str]]:
    found = {str(path.relative_to(base)): path.lstat() for path in base.rglob("*")}
    return {name: (about.st_uid, about.st_gid, oct(about.st_mode & 0o7777)) for name, about in sorted(found.items())}


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


def plant_link(path: Path) -> None:
    path.symlink_to("/etc/shadow")


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


def sealed(tmp_path: Path, *entries: tuple, contents: object = None, cut: int = 0) -> str:
    """Seal an archive of anybody's: names, contents, and what of tarfile.TarInfo is other than usual."""
    raw = io.BytesIO()
    listed = {}
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content, changes in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o600
            for key, value in changes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
            listed[name] = {"sha256": hashlib.sha256(content).hexdigest(), "mode": 0o600, "account": True}
        if contents is not False:
            text = json.dumps({"version": 1, "files": listed, "databases": []} if contents is None else contents)
            info = tarfile.TarInfo(_contents.CONTENTS)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    path = tmp_path / "anybodys.sealed"
    content = raw.getvalue()
    with SEAL.writing(str(path)) as stream:
        stream.write(content[: len(content) - cut])
    return str(path)


APP_FILES = {
    "pyproject.toml": b"[project]",
    "an_app/task.py": b"model = 1",
    "an_app/.hidden": b"",
    "an_app/..two dots/a b.txt": b"x",
    "an_app/\u00fcber.py": b"y",
}
COPY = f"app/of_trainings/a/{'0f' * 32}"


def recorded(files: dict[str, bytes], fab_hash: str = "0f" * 32) -> bytes:
    return json.dumps({"fab_hash": fab_hash, "checksum": digest_of(files)}).encode()


def test_every_app_is_held_against_its_record(tmp_path: Path) -> None:
    _apps.check_apps({"certificates/server.key": {"sha256": "0" * 64}}, "a.sealed")  # none is there
    (tmp_path / "record").write_bytes(recorded(APP_FILES))
    entries = {f"{COPY}/{name}": {"sha256": hashlib.sha256(text).hexdigest()} for name, text in APP_FILES.items()}
    entries[f"{COPY}.json"] = {"sha256": "", "staged": str(tmp_path / "record")}
    _apps.check_apps(entries, "a.sealed")
    del entries[f"{COPY}/pyproject.toml"]
    with pytest.raises(_database.ArchiveError, match=r"^a.sealed holds another app as"):
        _apps.check_apps(entries, "a.sealed")


def put_aside(home: Path, files: dict[str, bytes] | None = None, record: bytes | None = None) -> None:
    for name, content in (APP_FILES if files is None else files).items():
        (home / COPY / name).parent.mkdir(parents=True, exist_ok=True)
        (home / COPY / name).write_bytes(content)
    (home / f"{COPY}.json").write_bytes(recorded(APP_FILES) if record is None else record)


def test_the_app_of_a_training_comes_back_with_what_root_has_recorded_of_it(home: Path, tmp_path: Path) -> None:
    put_aside(home)
    path, fresh = create(home), tmp_path / "fresh"
    names = [f"{COPY}.json", *(f"{COPY}/{name}" for name in APP_FILES)]
    assert set(_restore.restore(path, str(fresh), SEAL)) == {*NAMES, *names}
    assert {name: (fresh / COPY / name).read_bytes() for name in APP_FILES} == APP_FILES
    check_copy(str(fresh / COPY))
    assert _restore.restore(path, str(fresh), SEAL) == []


@pytest.mark.parametrize(
    ("files", "record", "said"),
    [
        ({**APP_FILES, "evil.pth": b"import os"}, None, "it is not what was put aside there."),
        (APP_FILES, b"{}", "nothing is recorded of it. Train again."),
        (
            APP_FILES,
            recorded(APP_FILES, "1f" * 32),
            "nothing is recorded of it. Train again.",
        ),
    ],
)
def test_an_app_that_is_not_what_was_recorded_is_not_kept_and_told(
    home: Path, tmp_path: Path, files: dict, record: bytes | None, said: str
) -> None:
    put_aside(home, files, record)
    path = str(tmp_path / "backup.sealed")
    assert f"{COPY} is not in the backup: {said}" in _archive.create(path, str(home), SEAL).problems
    assert _restore.restore(path, str(tmp_path / "fresh"), SEAL) == NAMES


@pytest.mark.parametrize(
    ("record", "files"),
    [
        (None, APP_FILES),
        (b"{}", APP_FILES),
        (b"[", APP_FILES),
        (recorded(APP_FILES, "1f" * 32), APP_FILES),
        (recorded(APP_FILES), {**APP_FILES, "an_app/task.py": b"evil = 1"}),
        (recorded(APP_FILES), {**APP_FILES, "evil.pth": b"import os"}),
        (recorded(APP_FILES), {"pyproject.toml": APP_FILES["pyproject.toml"]}),
    ],
)
def test_an_archive_with_another_app_than_it_says_is_refused_by_name(
    tmp_path: Path, record: bytes | None, files: dict
) -> None:
    base = tmp_path / "fresh"
    entries = [(f"{COPY}/{name}", content, {}) for name, content in files.items()]
    records = [] if record is None else [(f"{COPY}.json", record, {})]
    path = sealed(tmp_path, ("certificates/superexec.secret", b"s", {}), *entries, *records)
    with pytest.raises(_database.ArchiveError, match=f"holds another app as {COPY} than was put aside there for its"):
        _restore.restore(path, str(base), SEAL)
    assert list(base.rglob("*")) == []


GOOD = ("certificates/server.key", b"key", {})
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
