# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

VAULT = {"method": "vault", "password": "correct horse"}


@pytest.fixture
def archive(tmp_path, run_module):
    base = tmp_path / "base"
    (base / "certificates").mkdir(parents=True)
    (base / "certificates/server.key").write_text("key")
    with closing(sqlite3.connect(base / "state.db")) as database:
        database.execute("CREATE TABLE node (name)")

    def run(**arguments) -> dict:
        wanted = {"path": str(tmp_path / "backup/a.sealed"), "base": str(base), **VAULT, **arguments}
        return run_module("sealed_archive", **wanted)

    return run


def test_what_is_kept_is_brought_back_once(archive, tmp_path) -> None:
    kept = archive(names=["certificates"], databases=["state.db"])
    assert (kept["changed"], kept["names"]) == (True, ["certificates/server.key", "state.db"])
    verified = archive(state="verified")
    assert (verified["changed"], verified["names"]) == (False, kept["names"])
    fresh = str(tmp_path / "fresh")
    first, second = (archive(state="restored", base=fresh) for dummy in range(2))
    assert (first["changed"], first["names"]) == (True, kept["names"])
    assert (second["changed"], second["names"]) == (False, [])
    assert (tmp_path / "fresh/certificates/server.key").read_text() == "key"


def test_a_rehearsal_writes_nothing(archive, tmp_path) -> None:
    assert archive(names=["certificates"], check_mode=True)["changed"]
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"method": "none"}, "value of method must be one of: age, vault, got: none"),
        ({"password": ""}, "method is vault, which needs password. Nothing is kept in plain text."),
        ({"databases": ["gone.db"]}, "gone.db is missing: there is no state to be kept."),
        ({"names": ["certificates"], "required": ["state.secret"]}, "/base lacks state.secret."),
        ({"state": "verified", "path": "/nowhere/a"}, "/nowhere/a cannot be opened: No such file or directory."),
    ],
)
def test_what_goes_wrong_is_told(archive, arguments, said) -> None:
    result = archive(**arguments)
    assert result["failed"]
    assert said in result["msg"]
    assert "correct horse" not in str(result)


def test_what_is_required_is_found_although_the_password_is_a_part_of_its_name(archive, tmp_path) -> None:
    (tmp_path / "base/superexec.secret").write_text("s")
    arguments = {"password": "secret", "required": ["superexec.secret"]}
    kept = archive(names=["superexec.secret"], **arguments)
    assert kept["names"] == ["superexec.********"]  # no result shows it
    assert not archive(state="verified", **arguments).get("failed")
    lacking = archive(state="verified", password="secret", required=["superexec.secret", "server.key"])
    assert lacking["msg"].endswith("a.sealed lacks server.key.")


def test_an_archive_that_lacks_something_is_neither_made_nor_brought_back(archive, tmp_path) -> None:
    assert archive(names=["certificates"], required=["gone"])["failed"]
    assert not (tmp_path / "backup/a.sealed").exists()
    archive(names=["certificates"])
    fresh = tmp_path / "fresh"
    assert archive(state="restored", base=str(fresh), required=["gone"])["failed"]
    assert list(fresh.iterdir()) == []
