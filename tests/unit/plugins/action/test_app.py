# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a Flower app to its host."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.fedops.flower.plugins.action.app import ActionModule
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import digest, source_files

from ...apps import LEAST as PYPROJECT

DESCRIPTION = {"id": "somebody/an-app", "name": "an-app", "version": "1.2.3", "config": {"num-rounds": 3}}


class Host:
    """Stands for the connection: remembers what was executed and sent, and answers as the module would."""

    def __init__(self, action: ActionModule, monkeypatch: pytest.MonkeyPatch, needs_archive: bool) -> None:
        self.needs_archive = needs_archive
        self.calls: list[dict[str, Any]] = []
        self.sent: list[str] = []
        monkeypatch.setattr(action, "_execute_module", self.execute)
        monkeypatch.setattr(action, "_make_tmp_path", lambda: "/remote")
        monkeypatch.setattr(action, "_transfer_file", self.transfer)
        action._connection._shell.join_path = lambda *parts: "/".join(parts)

    def execute(self, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(module_args)
        if self.needs_archive and "archive" not in module_args:
            return {"changed": False, "needs_archive": True}
        return {"changed": self.needs_archive, "path": "/opt/flower/app/an-app"}

    def transfer(self, local: str, remote: str) -> str:
        with tarfile.open(local) as archive:
            self.sent = archive.getnames()
        return remote


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "model.py").write_text("")
    return tmp_path


def make(arguments: dict[str, Any]) -> ActionModule:
    task = MagicMock(async_val=0, args=arguments, check_mode=False)
    return ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), None)


def test_the_files_are_sent_when_the_host_asks_for_them(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    action = make({"src": str(source), "home": "/srv"})
    host = Host(action, monkeypatch, needs_archive=True)
    result = action.run(task_vars={})
    asked = {
        "src": str(source),
        "home": "/srv",
        "name": "an-app",
        "checksum": digest(source_files(str(source))),
    }
    assert host.calls == [asked, {**asked, "archive": "/remote/files.tar"}]
    assert host.sent == ["model.py", "pyproject.toml"]
    assert result == {"changed": True, "path": "/opt/flower/app/an-app", "app": DESCRIPTION}


def test_nothing_is_sent_when_the_host_has_the_files(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    action = make({"src": str(source)})
    host = Host(action, monkeypatch, needs_archive=False)
    result = action.run(task_vars={})
    assert (len(host.calls), host.sent, result["changed"]) == (1, [], False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({}, "src is missing"), ({"src": "/nowhere"}, "/nowhere is not a Flower app")],
)
def test_a_source_that_is_no_app_is_refused_before_the_host_is_touched(
    arguments: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = make(arguments)
    host = Host(action, monkeypatch, needs_archive=True)
    with pytest.raises(AnsibleError, match=said):
        action.run(task_vars={})
    assert host.calls == []


def test_the_knobs_of_a_task_are_declared_in_what_is_sent(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "an_app").mkdir()
    (source / "an_app" / "task.py").write_text('KNOBS = {"strength": 0.5}\n')
    action = make({"src": str(source)})
    host = Host(action, monkeypatch, needs_archive=True)
    contents: list[str] = []
    transfer = host.transfer

    def look(local: str, remote: str) -> str:
        with tarfile.open(local) as archive:
            contents.append(archive.extractfile("pyproject.toml").read().decode())
        return transfer(local, remote)

    monkeypatch.setattr(action, "_transfer_file", look)
    result = action.run()
    assert contents == [PYPROJECT.replace("config]\n", "config]\nstrength = 0.5\n")]
    assert result["app"]["config"] == {"num-rounds": 3, "strength": 0.5}
    assert (source / "pyproject.toml").read_text() == PYPROJECT
    # The host recomputes the digest of what it gets, and what is deployed already is not sent again.
    assert host.calls[0]["checksum"] != digest(source_files(str(source)))
    again = make({"src": str(source)})
    second = Host(again, monkeypatch, needs_archive=False)
    again.run()
    assert second.calls[0]["checksum"] == host.calls[0]["checksum"]


def test_the_kit_travels_with_the_app_that_uses_it(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "server.py").write_text("from fedops_kit import keep\n")
    action = make({"src": str(source), "kit": True})
    host = Host(action, monkeypatch, needs_archive=True)
    result = action.run(task_vars={})
    assert {"server.py", "pyproject.toml", "fedops_kit/__init__.py", "fedops_kit/keeping.py"} <= set(host.sent)
    assert "fedops_kit/knowledge/_config/kit.py" in host.sent
    assert result["app"]["config"]["fedops.checkpoint-enabled"] is False
    assert "kit" not in host.calls[0]
    assert (source / "pyproject.toml").read_text() == PYPROJECT  # on the controller nothing changes


def test_an_app_that_does_not_use_the_kit_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    action = make({"src": str(source), "kit": "yes"})
    host = Host(action, monkeypatch, needs_archive=True)
    with pytest.raises(AnsibleError, match="nothing in the app an-app uses the kit"):
        action.run(task_vars={})
    assert host.calls == []
