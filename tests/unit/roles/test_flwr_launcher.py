# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flower's command line, which never imports an app."""

from __future__ import annotations

import dataclasses
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..apps import WHOLE

LAUNCHER = Path(__file__).parents[3] / "roles" / "superlink" / "files" / "flwr.py"
object_ref = pytest.importorskip("flwr.supercore.object_ref")
PYPROJECT = f"""{WHOLE.replace(".client:app", ".server:app")}
[tool.flwr.federations]
default = "local"
[tool.flwr.federations.local]
address = "198.51.100.1:8000"
insecure = true
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "app"
    (folder / "an_app").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "LICENSE").write_text("")
    (folder / "an_app" / "__init__.py").write_text(f"open({str(tmp_path / 'told')!r}, 'w')")
    (folder / "an_app" / "server.py").write_text("app = 1\n")
    monkeypatch.setattr(object_ref, "find_spec", runpy.run_path(str(LAUNCHER))["find_module"])
    return folder


def valid(app: Path, component: str, files: dict[str, str]) -> str | None:
    for name, text in files.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text(text)
    _fits, reason = object_ref.validate(component, project_dir=app)
    assert not (app.parent / "told").exists()
    return reason and reason.split("\n")[0]


@pytest.mark.parametrize(
    ("component", "files", "reason"),
    [
        ("an_app.nowhere:app", {}, "Unable to load module an_app.nowhere"),
        ("nowhere.server:app", {}, "Unable to load module nowhere.server"),
        ("an_app.server:other", {}, "Unable to find attribute other in module an_app.server"),
        ("an_app.server", {}, "Missing attribute in an_app.server"),
        (":app", {}, "Missing module in :app"),
        ("..an_app.server:app", {}, "Unable to load module ..an_app.server"),
        ("an_app/server:app", {}, "Unable to load module an_app/server"),
        ("../app/an_app/server:app", {}, "Unable to load module ../app/an_app/server"),
        # Python takes the module for the name, and it is no package.
        ("an_app.server.deep:app", {"an_app/server/deep.py": "app = 1"}, "Unable to load module an_app.server.deep"),
    ],
)
def test_a_component_that_is_not_there_is_told(app: Path, component: str, files: dict[str, str], reason: str) -> None:
    assert valid(app, component, files) == reason


@pytest.mark.parametrize(
    ("component", "files"),
    [
        ("an_app.server:app", {}),
        ("an_app.server:app.inner", {}),
        ("an_app.deep:app", {"an_app/deep/__init__.py": "__all__ = ['app']"}),
        ("src.an_app.server:app", {"src/an_app/server.py": "app = 1"}),
        ("server:app", {"server.py": "app = 1"}),
        ("json:app", {"json.py": "app = 1"}),
        ("flwr.supercore.object_ref:OBJECT_REF_HELP_STR", {}),
    ],
)
def test_a_component_that_flower_finds_is_found(app: Path, component: str, files: dict[str, str]) -> None:
    assert valid(app, component, files) is None


def test_the_fab_that_it_writes_is_the_one_that_flower_builds(app: Path, tmp_path: Path) -> None:
    build = pytest.importorskip("flwr.cli.build")
    done = subprocess.run([sys.executable, "-I", LAUNCHER, "fab", app], capture_output=True, check=True)
    header, fab = done.stdout.split(b"\n", 1)
    assert json.loads(header) == {"publisher": "somebody", "name": "an-app", "version": "1.2.3"}
    assert fab == build.build_fab_from_disk(app)
    assert not (tmp_path / "told").exists()


def test_a_run_imports_nothing_and_connects_to_nothing_that_the_app_names(app: Path, tmp_path: Path) -> None:
    home = tmp_path / "flwr"
    home.mkdir()
    config = '[superlink]\ndefault = "local"\n[superlink.local]\naddress = "127.0.0.1:9"\ninsecure = true\n'
    (home / "config.toml").write_text(config)
    done = subprocess.run(
        [sys.executable, "-I", LAUNCHER, "run", app, "local", "--format", "json"],
        capture_output=True, env={**os.environ, "FLWR_HOME": str(home)}, cwd="/", text=True, check=False,
    )  # fmt: skip
    assert "Connection to the SuperLink is unavailable" in done.stdout
    assert (home / "config.toml").read_text() == config
    assert (app / "pyproject.toml").read_text() == PYPROJECT
    assert not (tmp_path / "told").exists()


def test_it_knows_its_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / "bin" / "flwr"
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER.read_text())
    listing = pytest.importorskip("flwr.cli.ls")
    monkeypatch.setattr(listing, "_to_json", listing._to_json)  # put back afterwards: the launcher exchanges it
    monkeypatch.delenv("FLWR_HOME", raising=False)
    monkeypatch.setattr(sys, "argv", ["flwr", "list"])
    called = []
    monkeypatch.setitem(
        sys.modules, "flwr.cli.app", SimpleNamespace(app=lambda: called.append(os.environ["FLWR_HOME"]))
    )
    runpy.run_path(str(launcher), run_name="__main__")
    assert called == [str(tmp_path / "control" / ".flwr")]
    monkeypatch.delenv("FLWR_HOME")


def test_a_listing_ends_whatever_apps_have_said(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = pytest.importorskip("flwr.cli.ls")
    monkeypatch.setattr(listing, "_to_json", listing._to_json)
    runpy.run_path(str(LAUNCHER))["shorten_reasons"]()
    known = {field.name: 0 for field in dataclasses.fields(listing.RunRow)}
    texts = {"fab_id": "a/b", "fab_hash": "h"}
    rows = [listing.RunRow(**{**known, **texts, "details": text}) for text in ("", "short", "A" * 27_000_000)]
    told = [run["status-details"] for run in json.loads(listing._to_json(rows))["runs"]]
    assert (told[:2], told[2].lstrip("A")) == (["", "short"], " ... (26996500 more characters)")
    assert len(told[2]) < 3600
