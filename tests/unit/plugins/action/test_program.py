# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a program of the collection on a host: ansible.builtin.copy does it, and gets the program built."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible.plugins.loader import action_loader
from ansible_collections.fedops.flower.plugins.action.program import ActionModule
from ansible_collections.fedops.flower.plugins.plugin_utils._program import MIRROR


def action(arguments: dict) -> ActionModule:
    task = MagicMock(async_val=0, args=arguments, check_mode=False)
    task.copy.return_value = MagicMock(async_val=0, args={})
    return ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), None)


def test_the_program_is_built_and_copied_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict = {}

    def copy(name, task, **_others):
        seen.update(task.args, name=name, content=Path(task.args["src"]).read_bytes(), diff=task.diff)
        return MagicMock(run=lambda task_vars: {"changed": True})

    monkeypatch.setattr(action_loader, "get", copy)
    answer = action({"name": "mirror", "directory": "/opt/flower/mirror"}).run(task_vars={})
    assert answer == {"changed": True}
    assert (seen["name"], seen["dest"]) == ("ansible.legacy.copy", "/opt/flower/mirror/fedops-mirror.pyz")
    assert (seen["owner"], seen["group"], seen["mode"], seen["diff"]) == ("root", "root", "0644", False)
    assert seen["content"] == MIRROR.build()
    assert not Path(seen["src"]).exists()


@pytest.mark.parametrize("arguments", [{"name": "other", "directory": "/"}, {"name": "mirror"}])
def test_another_program_or_no_place_is_refused(arguments) -> None:
    with pytest.raises(AnsibleError):
        action(arguments).run(task_vars={})
