# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending an app and the program that simulates to a host."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleError
from ansible_collections.fedops.flower.plugins.action import simulation as action
from ansible_collections.fedops.flower.plugins.action.simulation import ActionModule
from ansible_collections.fedops.flower.plugins.filter.simulated import FilterModule
from ansible_collections.fedops.flower.plugins.modules import simulation
from ansible_collections.fedops.flower.plugins.plugin_utils import _app_files

from ...apps import LEAST as PYPROJECT


def make(**arguments: Any) -> ActionModule:
    task = MagicMock(async_val=0, args=arguments, check_mode=False)
    return ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), None)


def test_app_and_program_are_told_by_one_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/pyproject.toml").write_text(PYPROJECT)
    program = tmp_path / "program.py"
    program.write_text("")
    seen = []
    monkeypatch.setattr(ActionModule, "execute_sending", lambda self, *given: seen.append(given) or {})
    for text in ("one", "two"):
        program.write_text(text)
        make(app=str(tmp_path / "app"), program=str(program), training="x").run(None, {})
    (first, files, dummy), (second, *_more) = seen
    assert sorted(files) == ["app/pyproject.toml", "simulate.py"]
    assert (first["app_id"], first["training"], "program" in first) == ("somebody/an-app", "x", False)
    assert first["checksum"] != second["checksum"]
    assert _app_files.app_files(str(tmp_path / "app"), None, False, str(tmp_path))[0].app_id == first["app_id"]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnsibleError, match="app is '/nowhere', which is not there on the controller"):
        make(app="/nowhere", program=str(tmp_path)).run(None, {})


def test_a_finished_training_is_left_alone_and_a_new_one_asks_for_its_app(tmp_path: Path) -> None:
    params = {
        "folder": str(tmp_path), "training": "digits", "configuration": "h", "code": "", "num_rounds": 2,
        "anew": False, "checksum": "ab" * 32, "archive": None, "follow": None, "config": "",
        "app_id": "x", "app_version": "1", "simulated": [], "cpus": 1, "gpus": 0, "data": "/data",
    }  # fmt: skip
    assert simulation.work(params, check_mode=True)["changed"]
    assert simulation.work(params, check_mode=False)["needs_archive"]
    told = tmp_path / "published/digits"
    told.mkdir(parents=True)
    (told / "result.json").write_text('{"configuration_hash": "h", "rounds": 2}')
    done = simulation.work(params, check_mode=False)
    assert (done["changed"], done["result"]["rounds"], done["history"]) == (False, 2, [])
    assert simulation.work({**params, "anew": True}, check_mode=True)["changed"]


def test_each_finished_round_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    rounds = [{"round": number, "num_rounds": 2, "run_id": "7", "loss": 0.5} for number in (1, 2)]
    looks = [
        {"running": True, "history": [], "effective": {}},
        {"running": True, "history": rounds[:1], "effective": {"run_id": "7"}},
        {"running": False, "history": rounds, "effective": {"run_id": "7"}, "result": {"rounds": 2}},
    ]
    asked: list[tuple[int, float]] = []

    def look(module_args: dict[str, Any], task_vars: object) -> dict[str, Any]:
        asked.append((module_args["follow"], module_args["wait_seconds"]))
        return looks.pop(0)

    monkeypatch.setattr(action, "display", SimpleNamespace(display=shown.append))
    one = make(training="digits", simulated=[{}, {}])
    one._execute_module = look
    result = one._follow({"training": "digits", "simulated": [{}, {}]}, {})
    assert (result["result"], asked) == ({"rounds": 2}, [(1, 30), (1, 30), (2, 30)])
    assert shown == [
        "digits (simulated): started with 2 sites",
        "digits (simulated): round 1/2  loss 0.5000",
        "digits (simulated): round 2/2  loss 0.5000",
    ]


def test_a_simulation_that_fails_ends_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(action, "display", MagicMock())
    one = make(training="digits", simulated=[])
    one._execute_module = lambda **_given: {"failed": True, "msg": "it has failed"}
    assert one._follow({"training": "digits", "simulated": []}, {})["msg"] == "it has failed"


def test_the_filter_tells_errors_in_words() -> None:
    face = FilterModule().filters()["simulated_sites"]
    assert face(1, "/data") == [{"name": "site-1", "data": "/data/site-1"}]
    with pytest.raises(AnsibleError, match="simulation_sites is 0"):
        face(0, "/data")
    settings = FilterModule().filters()["simulation_settings"]
    assert settings({"cpus": ""})["cpus"] == 1.0
    with pytest.raises(AnsibleError, match="no dictionary of numbers"):
        settings("4")
