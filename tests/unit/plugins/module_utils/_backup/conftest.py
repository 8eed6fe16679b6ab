# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pwd
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .archives import FILES, NUMBERS, give


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
