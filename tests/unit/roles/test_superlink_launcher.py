# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher of the SuperLink: Flower opens its database with our settings, and another release its own way."""

from __future__ import annotations

import gc
import importlib
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import (
    DATABASE_SETTINGS,
    PARTS_OF_REQUESTS,
)

sql_mixin = pytest.importorskip("flwr.supercore.sql_mixin")

LAUNCHER = Path(__file__).parents[3] / "roles" / "superlink" / "files" / "flower-superlink.py"
Launcher = dict[str, Callable]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    monkeypatch.setattr(sql_mixin, "SQLITE_PRAGMAS", sql_mixin.SQLITE_PRAGMAS)  # to be put back
    return runpy.run_path(str(LAUNCHER))


def test_it_knows_of_flower_what_the_contract_tests_look_at(launcher: Launcher) -> None:
    assert {sql_mixin.__name__: (launcher["PRAGMAS"], launcher["KNOWN"])} == DATABASE_SETTINGS


def opened(path: Path) -> dict[str, int | str]:
    """Return how a database is set that Flower has opened."""
    from flwr.supercore.object_store.sql_object_store import SqlObjectStore
    from sqlalchemy import text

    store = SqlObjectStore(str(path))
    store.initialize()
    with store.session() as session:
        names = ("busy_timeout", "secure_delete", "wal_autocheckpoint", "journal_mode", "synchronous", "foreign_keys")
        return {name: session.scalar(text(f"PRAGMA {name}")) for name in names}


def test_flower_opens_its_database_with_these_settings_and_its_own_others(launcher: Launcher, tmp_path: Path) -> None:
    own = opened(tmp_path / "own.db")
    launcher["set_database"](sql_mixin)
    assert opened(tmp_path / "ours.db") == {
        **own, "busy_timeout": 20000, "secure_delete": 0, "wal_autocheckpoint": 16384
    }  # fmt: skip
    assert (own["journal_mode"], own["busy_timeout"], own["wal_autocheckpoint"]) == ("wal", 5000, 1000)


@pytest.mark.parametrize("names", [{}, {"SQLITE_PRAGMAS": ()}, {"SQLITE_PRAGMAS": [("journal_mode", "WAL")]}])
def test_another_release_of_flower_is_left_alone(launcher: Launcher, capsys, names: dict) -> None:
    module = SimpleNamespace(__name__="flwr.elsewhere", **names)
    launcher["set_database"](module)
    assert vars(module) == {"__name__": "flwr.elsewhere", **names}
    assert capsys.readouterr().err == (
        "This release of Flower sets its database up in another way (flwr.elsewhere). That is left to it.\n"
    )


def test_a_request_is_read_in_larger_parts(launcher: Launcher, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    assert {launcher["SERVER"]: (launcher["PART"], launcher["PARTS"][0])} == PARTS_OF_REQUESTS
    server = importlib.import_module(launcher["SERVER"])
    monkeypatch.setattr(server, launcher["PART"], launcher["PARTS"][0])  # to be put back
    launcher["read_in_larger_parts"]()
    assert server.HIGH_WATER_LIMIT == 1 << 20
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["json", "nowhere.to_be_found"])
def test_another_web_server_is_left_alone(launcher: Launcher, capsys, name: str) -> None:
    launcher["read_in_larger_parts"](name)
    assert capsys.readouterr().err == f"This web server reads in another way ({name}). That is left to it.\n"


def test_it_runs_flowers_superlink(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    monkeypatch.setattr(importlib.import_module("flwr.superlink.cli"), "flower_superlink", lambda: ran.append(True))
    monkeypatch.setattr(importlib.import_module(launcher["SERVER"]), launcher["PART"], launcher["PARTS"][0])
    monkeypatch.setattr(gc, "freeze", lambda: ran.append(False))
    launcher["main"]()
    assert ran == [False, True]
    assert dict(sql_mixin.SQLITE_PRAGMAS)["secure_delete"] == "OFF"
