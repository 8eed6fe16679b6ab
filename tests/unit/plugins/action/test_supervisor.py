# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a program to a host: the one of the supervisor, and the one of the ClientApps."""

from __future__ import annotations

import hashlib
import tarfile
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible_collections.fedops.flower.plugins.action import supernode_units, supervisor
from ansible_collections.fedops.flower.plugins.plugin_utils._program import CLIENTAPPS, SUPERVISOR


@pytest.mark.parametrize("needs", [True, False], ids=["it has another one", "it has it"])
@pytest.mark.parametrize(("plugin", "program"), [(supervisor, SUPERVISOR), (supernode_units, CLIENTAPPS)])
def test_the_program_travels_only_to_a_host_that_has_another_one(
    monkeypatch: pytest.MonkeyPatch, plugin, program, needs: bool
) -> None:
    task = MagicMock(args={"unit": "[Unit]"}, async_val=0, check_mode=False)
    action = plugin.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    calls: list[dict[str, Any]] = []
    sent: list[str] = []

    def execute(module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        calls.append(module_args)
        return {"changed": False, "needs_archive": True} if needs and len(calls) == 1 else {"changed": needs}

    def transfer(local: str, remote: str) -> str:
        with tarfile.open(local) as archive:
            sent.extend(archive.getnames())
        return remote

    monkeypatch.setattr(action, "_execute_module", execute)
    monkeypatch.setattr(action, "_make_tmp_path", lambda: "/remote")
    monkeypatch.setattr(action, "_transfer_file", transfer)
    action._connection._shell.join_path = lambda *parts: "/".join(parts)

    asked = {"unit": "[Unit]", "program": hashlib.sha256(program.build()).hexdigest()}
    assert action.run(task_vars={}) == {"changed": needs}
    assert calls == ([asked, {**asked, "archive": "/remote/files.tar"}] if needs else [asked])
    assert sent == ([program.file_name] if needs else [])
