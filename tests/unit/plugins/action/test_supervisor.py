# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending a program to a host: the one of the supervisor, and the one of the ClientApps."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible_collections.fedops.flower.plugins.action import supernode_units, supervisor
from ansible_collections.fedops.flower.plugins.plugin_utils._program import CLIENTAPPS, SUPERVISOR


@dataclass
class Sending:
    """An action that sends, and what becomes of that."""

    action: Any
    needs: bool  # the host has another one
    calls: list[dict[str, Any]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def execute(self, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(module_args)
        asks = self.needs and "archive" not in module_args
        return {"changed": False, "needs_archive": True} if asks else {"changed": self.needs}

    def transfer(self, local: str, remote: str) -> str:
        with tarfile.open(local) as archive:
            self.sent.extend(archive.getnames())
        return remote


@pytest.fixture
def sending(monkeypatch: pytest.MonkeyPatch):
    def sending(plugin, needs: bool, **arguments: Any) -> Sending:
        task = MagicMock(args=arguments, async_val=0, check_mode=False)
        action = plugin.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        made = Sending(action, needs)
        monkeypatch.setattr(action, "_execute_module", made.execute)
        monkeypatch.setattr(action, "_make_tmp_path", lambda: "/remote")
        monkeypatch.setattr(action, "_transfer_file", made.transfer)
        action._connection._shell.join_path = lambda *parts: "/".join(parts)
        return made

    return sending


@pytest.mark.parametrize("needs", [True, False], ids=["it has another one", "it has it"])
@pytest.mark.parametrize(("plugin", "program"), [(supervisor, SUPERVISOR), (supernode_units, CLIENTAPPS)])
def test_the_program_travels_only_to_a_host_that_has_another_one(sending, plugin, program, needs: bool) -> None:
    one = sending(plugin, needs, unit="[Unit]")
    asked = {"unit": "[Unit]", "program": hashlib.sha256(program.build()).hexdigest()}
    assert one.action.run(task_vars={}) == {"changed": needs}
    assert one.calls == ([asked, {**asked, "archive": "/remote/files.tar"}] if needs else [asked])
    assert one.sent == ([program.file_name] if needs else [])


def test_a_fresh_host_is_not_asked_first(sending) -> None:
    one = sending(supernode_units, True, fresh=True)
    assert one.action.run(task_vars={}) == {"changed": True}
    assert [call["archive"] for call in one.calls] == ["/remote/files.tar"]
    assert one.sent == [CLIENTAPPS.file_name]
