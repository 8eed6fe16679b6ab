# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusing an ansible-core that the collection does not support."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.release import __version__ as ansible_core
from ansible_collections.fedops.flower.plugins.action import requirements
from ansible_collections.fedops.flower.plugins.plugin_utils._support import POLICY, unsupported

ROOT = Path(__file__).parents[4]
FILTERS = f"""
import sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader([{str(ROOT / ".ansible" / "collections")!r}])
from ansible_collections.fedops.flower.plugins.action import requirements
print(*sorted(name for name in sys.modules if ".fedops.flower.plugins.filter." in name), sep="\\n")
"""


def told(monkeypatch: pytest.MonkeyPatch, problem: str | None) -> dict:
    monkeypatch.setattr(requirements, "PROBLEM", problem)
    task = MagicMock(async_val=0, args={}, check_mode=False)
    action = requirements.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), None)
    return action.run(task_vars={})


@pytest.mark.parametrize("release", ["2.19.0", "2.19.3", "2.20.1", "2.21.0.dev0", "2.19.0rc1", ansible_core])
def test_what_the_policy_allows_is_supported(release: str) -> None:
    assert unsupported(release, "/usr/bin/python3") is None


@pytest.mark.parametrize("release", ["2.16.14", "2.18.99", "2.9.27"])
def test_an_older_one_is_refused_with_what_to_do(release: str) -> None:
    problem = unsupported(release, "/opt/venv/bin/python")
    assert problem is not None
    assert f"This is ansible-core {release}, with the Python of /opt/venv/bin/python" in problem
    assert "python3 -m pip install 'ansible-core>=2.19.0'" in problem


def test_the_policy_is_a_least_release() -> None:
    assert re.fullmatch(r">=\d+\.\d+\.\d+", yaml.safe_load(POLICY.read_text(encoding="utf-8"))["requires_ansible"])


def test_a_play_fails_on_it_with_the_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, "Too old.") == {"failed": True, "msg": "Too old.", "changed": False}
    assert told(monkeypatch, None) == {"changed": False}


def test_what_the_controller_lacks_is_told_with_what_to_run() -> None:
    assert requirements.missing(["json", "yaml"]) is None
    assert requirements.missing(["json", "nothing_of_this_name"]) == (
        f"The Python of ansible-core ({sys.executable}) lacks what this playbook needs on the controller:"
        f" nothing_of_this_name. Install it: {sys.executable} -m pip install nothing_of_this_name"
    )


def test_every_filter_is_loaded_with_the_action() -> None:
    loaded = subprocess.run([sys.executable, "-c", FILTERS], check=True, capture_output=True, text=True, cwd=ROOT)
    found = {path.stem for path in (ROOT / "plugins" / "filter").glob("*.py")}
    assert {name.rsplit(".", 1)[1] for name in loaded.stdout.split()} == found


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.name)
def test_every_playbook_begins_with_it(playbook: Path) -> None:
    first = yaml.safe_load(playbook.read_text(encoding="utf-8"))[0]
    task = [*first.get("pre_tasks", []), *first.get("tasks", [])][0]
    while imported := task.get("ansible.builtin.import_tasks"):
        task = yaml.safe_load((playbook.parent / imported).read_text(encoding="utf-8"))[0]
    assert "fedops.flower.requirements" in task


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.name)
def test_no_other_strategy_takes_the_order_out_of_a_play(playbook: Path) -> None:
    plays = [play for play in yaml.safe_load(playbook.read_text(encoding="utf-8")) if "hosts" in play]
    assert [play.get("strategy") for play in plays] == ["ansible.builtin.linear"] * len(plays)
