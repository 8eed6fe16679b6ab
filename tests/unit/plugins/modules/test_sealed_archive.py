# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pwd
import sqlite3
import subprocess
from contextlib import closing

import pytest

IDENTITY = subprocess.run(["age-keygen"], capture_output=True, text=True, check=True).stdout.splitlines()[-1]
RECIPIENT = subprocess.run(["age-keygen", "-y"], input=IDENTITY, capture_output=True, text=True, check=True).stdout
NAMES = ["certificates/server.key", "state/state.db"]


@pytest.fixture
def archive(tmp_path, run_module, monkeypatch):
    base = tmp_path / "base"
    for folder in ("certificates", "state"):
        (base / folder).mkdir(parents=True)
    (base / "certificates/server.key").write_text("key")
    with closing(sqlite3.connect(base / "state/state.db")) as database:
        database.execute("CREATE TABLE node (name)")
    numbers = {"flower": 49999, "flower-superlink": 49998, "flower-control": 49997}

    def entry(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", numbers[name], numbers[name], "", "/", "/bin/false"))

    monkeypatch.setattr(pwd, "getpwnam", entry)

    def run(**arguments) -> dict:
        wanted = {"path": str(tmp_path / "backup/a.sealed"), "base": str(base), "identity": IDENTITY}
        return run_module("sealed_archive", **{**wanted, "recipients": [RECIPIENT.strip()], **arguments})

    return run


def test_what_is_kept_is_brought_back_once(archive, tmp_path) -> None:
    kept = archive()
    assert (kept["changed"], kept["names"], kept["problems"]) == (True, NAMES, [])
    verified = archive(state="verified")
    assert (verified["changed"], verified["names"]) == (False, NAMES)
    fresh = str(tmp_path / "fresh")
    first, second = (archive(state="restored", base=fresh) for dummy in range(2))
    assert (first["changed"], first["names"]) == (True, NAMES)
    assert (second["changed"], second["names"]) == (False, [])
    assert (tmp_path / "fresh/certificates/server.key").read_text() == "key"


def test_what_is_not_kept_is_told(archive, tmp_path) -> None:
    (tmp_path / "base/certificates/server.crt").symlink_to("/etc/shadow")
    problem = "certificates/server.crt is not in the backup: it is a link, and is not followed."
    assert archive()["problems"] == [problem]


def test_a_rehearsal_writes_nothing(archive, tmp_path) -> None:
    assert archive(check_mode=True)["changed"]
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "none"}, "value of method must be one of: age, vault, got: none"),
        ({"method": "vault"}, "method is vault, which only opens archives. Seal with age: set recipients."),
        ({"recipients": []}, "recipients is empty, but age seals for at least one. Nothing is kept in plain text."),
        ({"state": "verified", "identity": ""}, "identity is empty, but age opens an archive with a private key."),
        ({"base": "/nowhere"}, "state.db is missing: there is no state to be kept."),
        ({"required": ["state.secret"]}, "/base lacks state.secret."),
        ({"state": "verified", "path": "/nowhere/a"}, "/nowhere/a cannot be opened: "),
    ],
)
def test_what_goes_wrong_is_told(archive, arguments, said) -> None:
    result = archive(**arguments)
    assert result["failed"]
    assert said in result["msg"]
    assert IDENTITY not in str(result)


def test_what_the_controller_has_opened_is_brought_back(archive, tmp_path) -> None:
    archive()
    opened = tmp_path / "opened"
    with opened.open("wb") as stream:
        command = ["age", "--decrypt", "--identity", "-", str(tmp_path / "backup/a.sealed")]
        subprocess.run(command, input=IDENTITY.encode(), stdout=stream, check=True)
    of_the_controller = {"path": "/backups/a.sealed", "method": "vault", "opened": str(opened), "identity": ""}
    assert archive(state="verified", **of_the_controller)["names"] == NAMES
    assert archive(state="restored", **{**of_the_controller, "base": str(tmp_path / "fresh")})["names"] == NAMES
    opened.write_bytes(b"x" * 2000)
    assert "/backups/a.sealed is damaged" in archive(state="verified", **of_the_controller)["msg"]


def test_an_archive_that_lacks_something_is_neither_made_nor_brought_back(archive, tmp_path) -> None:
    assert archive(required=["gone"])["failed"]
    assert not (tmp_path / "backup/a.sealed").exists()
    archive()
    fresh = tmp_path / "fresh"
    assert archive(state="restored", base=str(fresh), required=["gone"])["failed"]
    assert list(fresh.iterdir()) == []
