# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.action.training_report import ActionModule

from ..module_utils._report import stories


@pytest.fixture
def play(home, run_module, monkeypatch, tmp_path):
    """Run the action on the module, on a home of Flower; return its result."""

    def run(check_mode: bool = False, inventory: str = "", **arguments: Any) -> dict[str, Any]:
        def execute(module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
            return json.loads(json.dumps(run_module("training_report", check_mode=check_mode, **module_args)))

        action = object.__new__(ActionModule)
        action._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        action._execute_module = execute
        monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
        return action.run(
            task_vars={"inventory_dir": inventory, "ansible_inventory_sources": [f"{inventory}/hosts.yml"]}
        )

    return run


@pytest.fixture
def trained(home):
    """A training of six rounds that two runs have trained."""
    home.ledger(("1", stories.HASH, 6))
    home.training(history=stories.lines(6, 3), effective=stories.effective())
    return home


def test_a_report_is_two_files_beside_the_inventory_and_written_once(play, trained, tmp_path) -> None:
    first = play(inventory=str(tmp_path))
    page, data = tmp_path / "reports" / "default.html", tmp_path / "reports" / "default.json"
    assert (first["changed"], first["dest"], first["json"]) == (True, str(page), str(data))
    assert first["bytes"] == page.stat().st_size
    assert [row["round"] for row in json.loads(data.read_text())["rounds"]] == [1, 2, 3, 4, 5, 6]
    assert {path.stat().st_mode & 0o777 for path in (page, data)} == {0o600}
    before = page.stat().st_ino
    assert play(inventory=str(tmp_path))["changed"] is False
    assert page.stat().st_ino == before
    assert sorted(path.name for path in page.parent.iterdir()) == ["default.html", "default.json"]


def test_check_mode_says_what_would_be_written(play, trained, tmp_path) -> None:
    found = play(check_mode=True, dest=str(tmp_path / "out"))
    assert (found["changed"], (tmp_path / "out").exists()) == (True, False)
    assert found["diff"]["after"] == f"{tmp_path}/out/default.html\n{tmp_path}/out/default.json\n"


def test_the_files_are_called_as_was_asked_whatever_the_host_says(play, trained, tmp_path, monkeypatch) -> None:
    for name in ("../../etc/x", "UPPER", "a/b"):
        with pytest.raises(AnsibleActionFail, match="training "):
            play(training=name, dest=str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_training_that_is_not_there_is_told(play, home, tmp_path) -> None:
    found = play(dest=str(tmp_path / "out"))
    assert "There is no training default on this host" in found["msg"]
    assert not (tmp_path / "out").exists()


def test_checkpoints_are_told_with_their_sizes(play, trained, tmp_path) -> None:
    kept = [{"round": 5, "file": "checkpoint_round_5.npz", "bytes": 41232, "age": 17.5, "path": "/x"}]
    found = play(dest=str(tmp_path), checkpoints=kept)
    told = json.loads(Path(found["json"]).read_text())["checkpoints"]
    assert [(one["round"], one["bytes"]) for one in told] == [(5, 41232)]
    assert "age" not in told[0]  # which would be another one each time


@pytest.mark.parametrize("way", ["name", "previous", "path"])
def test_a_baseline_is_a_training_what_was_before_or_an_earlier_report(play, trained, tmp_path, way) -> None:
    home = trained
    if way == "name":
        home.ledger(("5", stories.HASH, 4), name="second")
        home.training("second", history=[{**line, "run_id": "5"} for line in stories.lines(4, 2)])
        baseline = "second"
    elif way == "previous":
        kept = home.published() / "previous" / "20261130T080000.000000Z"
        stories.write(kept, stories.lines(4, 2))
        stories.write(kept.parent / "20261129T080000.000000Z", stories.lines(2, 2))
        baseline = "previous"
    else:
        stories.write(home.published(), stories.lines(4, 2))
        play(dest=str(tmp_path / "before"))
        stories.write(home.published(), stories.lines(6, 3))
        baseline = str(tmp_path / "before" / "default.json")
    found = json.loads(Path(play(dest=str(tmp_path / "out"), baseline=baseline)["json"]).read_text())
    assert found["comparison"]["other"]["rounds"] == 4
    assert found["comparison"]["this"]["rounds"] == 6


def test_nothing_earlier_is_no_comparison_and_no_failure(play, trained, tmp_path) -> None:
    found = play(dest=str(tmp_path), baseline="previous")
    assert json.loads(Path(found["json"]).read_text())["comparison"] is None


def test_a_baseline_that_is_not_there_is_told(play, trained, tmp_path) -> None:
    assert (
        "report_baseline is 'other' but must be the name of a training"
        in play(dest=str(tmp_path), baseline="other")["msg"]
    )
    with pytest.raises(AnsibleActionFail, match="cannot be read: No such file"):
        play(dest=str(tmp_path), baseline=str(tmp_path / "nothing.json"))
    (tmp_path / "odd.json").write_text("[]")
    with pytest.raises(AnsibleActionFail, match="is no report of a training"):
        play(dest=str(tmp_path), baseline=str(tmp_path / "odd.json"))


def test_a_directory_that_cannot_be_written_is_told(play, trained, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AnsibleActionFail, match=r"file.* cannot be written: "):
        play(dest=str(tmp_path / "file" / "below"))


def test_what_asks_and_what_supervises_is_told(play, trained, tmp_path) -> None:
    recorded = Path(__file__).resolve().parents[2] / "recorded" / "trainings" / "ward"
    for name in ("request.json", "supervision.json"):
        shutil.copy(recorded / name, trained.training())
    found = json.loads(Path(play(dest=str(tmp_path))["json"]).read_text())
    assert found["asked"]["run_config"]["client-lr"] == 0.1
    assert found["supervision"]["state"]
