# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting an app in place, with Flower's real ``flwr build``."""

from __future__ import annotations

import hashlib
import os
import pwd
import sys
import tarfile
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils import _flwr
from ansible_collections.fedops.flower.plugins.module_utils._app import digest, source_files
from ansible_collections.fedops.flower.plugins.module_utils._app_deployment import AppDeployment, DeploymentError

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "an-app"
version = "1.2.3"
description = ""
license = { file = "LICENSE" }
dependencies = ["flwr>=1.41.0"]
[tool.flwr.app]
publisher = "somebody"
fab-format-version = 1
flwr-version-target = "1.41.0"
[tool.flwr.app.components]
serverapp = "an_app.server:app"
clientapp = "an_app.client:app"
[tool.flwr.app.config]
num-rounds = 3
"""


class Source:
    """An app's folder on the controller, packed as the action plugin packs it."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "source"
        (self.folder / "an_app").mkdir(parents=True)
        self.write("pyproject.toml", PYPROJECT)
        self.write("LICENSE", "Apache-2.0")
        self.write("README.md", "# An app")
        self.write("an_app/__init__.py", "")
        self.write("an_app/server.py", "app = 1\n")
        self.write("an_app/client.py", "app = 1\n")
        self.write("an_app/task.py", "model = 1\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    @property
    def checksum(self) -> str:
        return digest(source_files(str(self.folder)))

    def pack(self) -> str:
        path = self.folder.parent / "app.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, full in source_files(str(self.folder)).items():
                archive.add(full, arcname=name)
        return str(path)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppDeployment:
    for user in ("USER", "CONTROL_USER"):
        monkeypatch.setattr(_flwr, user, pwd.getpwuid(os.geteuid()).pw_name)
    home = tmp_path / "home"
    (home / "venv" / "bin").mkdir(parents=True)
    (home / "app").mkdir()
    (home / "venv" / "bin" / "flwr").symlink_to(Path(sys.executable).parent / "flwr")
    return AppDeployment(str(home), "an-app")


def deploy(deployment: AppDeployment, source: Source) -> dict:
    return deployment.ensure(source.checksum, source.pack())


def test_an_app_is_built_and_a_second_time_nothing_changes(deployment: AppDeployment, source: Source) -> None:
    assert deployment.ensure(source.checksum, None) == {
        "changed": False,
        "path": deployment.path,
        "needs_archive": True,
    }
    first = deploy(deployment, source)
    assert first["changed"]
    assert hashlib.sha256(Path(first["fab_file"]).read_bytes()).hexdigest() == first["fab_hash"]
    assert Path(first["fab_file"]).name == f"somebody.an-app.1-2-3.{first['fab_hash'][:8]}.fab"
    assert deployment.ensure(source.checksum, None) == {
        "changed": False,
        "path": deployment.path,
        "fab_file": first["fab_file"],
        "fab_hash": first["fab_hash"],
    }


def test_a_new_source_replaces_the_old_one_as_a_whole(deployment: AppDeployment, source: Source) -> None:
    first = deploy(deployment, source)
    (source.folder / "an_app" / "task.py").rename(source.folder / "an_app" / "model.py")
    second = deploy(deployment, source)
    assert second["fab_hash"] != first["fab_hash"]
    assert "an_app/task.py" in second["diff"]["before"]
    assert "an_app/task.py" not in second["diff"]["after"]
    assert sorted(os.listdir(deployment.root)) == sorted(
        [".flwr", "an-app", "an-app.json", os.path.basename(second["fab_file"])]
    )


def test_an_app_changed_by_hand_on_the_host_is_put_right(deployment: AppDeployment, source: Source) -> None:
    deploy(deployment, source)
    Path(deployment.path, "an_app", "server.py").write_text("app = 'tampered'\n")
    assert deployment.ensure(source.checksum, None)["needs_archive"]


def test_a_deployed_app_is_installed_where_its_runs_look_for_it(deployment: AppDeployment, source: Source) -> None:
    fab_hash = deploy(deployment, source)["fab_hash"]
    installed = Path(deployment.root, ".flwr", "apps", f"somebody.an-app.1.2.3.{fab_hash[:8]}")
    assert os.listdir(installed.parent) == [installed.name]
    (installed / "an_app" / "server.py").unlink()
    assert deployment.ensure(source.checksum, None, check_mode=True)["changed"]
    assert not (installed / "an_app" / "server.py").exists()
    assert deployment.ensure(source.checksum, None)["changed"]
    assert (installed / "an_app" / "server.py").read_text() == "app = 1\n"
    assert not deployment.ensure(source.checksum, None)["changed"]


def test_a_host_without_the_account_is_told_what_to_do(
    deployment: AppDeployment, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(_flwr, "USER", "nobody-has-this-name")
    with pytest.raises(DeploymentError, match="nobody-has-this-name' is not on this host. Deploy this host first"):
        deploy(deployment, source)


def test_check_mode_tells_and_changes_nothing(deployment: AppDeployment, source: Source) -> None:
    assert deployment.ensure(source.checksum, None, check_mode=True)["changed"]
    assert os.listdir(deployment.root) == []


def test_an_app_that_flower_refuses_leaves_the_old_one_in_place(deployment: AppDeployment, source: Source) -> None:
    first = deploy(deployment, source)
    old = source.checksum
    source.write("pyproject.toml", PYPROJECT.replace("license =", "licence ="))
    with pytest.raises(DeploymentError, match="what was deployed before still stands"):
        deploy(deployment, source)
    assert deployment.ensure(old, None)["fab_hash"] == first["fab_hash"]


def test_a_host_without_flower_is_told_what_to_do(tmp_path: Path, source: Source) -> None:
    with pytest.raises(DeploymentError, match="run the role fedops.flower.runtime"):
        deploy(AppDeployment(str(tmp_path), "an-app"), source)


def test_an_archive_that_leaves_the_folder_is_refused(deployment: AppDeployment, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(__file__, arcname="../evil.py")
    with pytest.raises(DeploymentError, match=r"\.\./evil\.py"):
        deployment.ensure("0" * 64, str(path))
    assert os.listdir(deployment.root) == []
