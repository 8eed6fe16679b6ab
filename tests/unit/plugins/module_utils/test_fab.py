# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a FAB: the same that Flower installs, and whole."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils import _fab, _flwr
from ansible_collections.fedops.flower.plugins.module_utils._fab import Installation

APP = Path(__file__).parents[4] / "files" / "fab"


@pytest.fixture(scope="module")
def fab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The FAB of the collection's own app."""
    folder = tmp_path_factory.mktemp("fab")
    flwr = Path(sys.executable).parent / "flwr"
    environment = {**os.environ, "FLWR_HOME": str(folder / "home"), "FLWR_TELEMETRY_ENABLED": "0"}
    subprocess.run([flwr, "build", "--app", APP], cwd=folder, env=environment, check=True, capture_output=True)
    (built,) = folder.glob("*.fab")
    return built


@pytest.fixture
def installation(fab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    for user in ("USER", "CONTROL_USER"):
        monkeypatch.setattr(_flwr, user, pwd.getpwuid(os.geteuid()).pw_name)
    return Installation(str(tmp_path / "home"), str(fab))


def tree(path: str | Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in Path(path).rglob("*") if file.is_file()}


def test_it_is_what_flower_installs_and_flower_takes_it_for_installed(
    installation: Installation, fab: Path, tmp_path: Path
) -> None:
    install = pytest.importorskip("flwr.cli.install")
    theirs = install.install_from_fab(fab.read_bytes(), tmp_path / "theirs", skip_prompt=True)
    installation.make()
    assert os.path.basename(installation.path) == theirs.name
    assert tree(installation.path) == tree(theirs)
    before = os.stat(installation.path).st_ino
    ours = install.install_from_fab(fab.read_bytes(), tmp_path / "home", skip_prompt=True)
    assert (str(ours), os.stat(ours).st_ino) == (installation.path, before)


def test_an_app_that_flower_was_killed_over_is_not_whole(installation: Installation) -> None:
    assert not installation.is_whole()
    installation.make()
    assert installation.is_whole()
    Path(installation.path, "fedops_app", "run.py").write_text("")
    assert not installation.is_whole()
    shutil.rmtree(Path(installation.path, "fedops_app"))
    assert not installation.is_whole()
    installation.make()
    assert installation.is_whole()
    assert os.listdir(installation.parent) == [os.path.basename(installation.path)]


def test_what_python_writes_into_the_app_does_not_matter(installation: Installation) -> None:
    installation.make()
    Path(installation.path, "fedops_app", "__pycache__").mkdir()
    assert installation.is_whole()


def test_an_interruption_leaves_nothing_where_flower_looks(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(fab_file: str, target: str) -> None:
        os.mkdir(target)
        raise KeyboardInterrupt

    monkeypatch.setattr(_fab, "_unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        installation.make()
    assert os.listdir(installation.parent) == []
