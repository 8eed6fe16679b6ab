# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that the first release has begun goes on under this one: told, asked for again, and supervised."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import values_of
from ansible_collections.fedops.flower.plugins.module_utils._config import continuity
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.moved_defaults import (
    DefaultMovedError,
    refuse_moved_defaults,
)
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

RECORDED = Path(__file__).parents[2] / "recorded"
VARIABLES = {
    "fl_training_name": "ward",
    "fl_strategy": "FedAdam",
    "fl_num_rounds": 4,
    "fl_local_epochs": 2,
    "fl_min_available_clients": 3,
    "fl_checkpoint_enabled": True,
    "fl_checkpoint_interval": 2,
    "fl_checkpoint_keep_last": 1,
    "fl_checkpoint_keep_best": False,
}  # as its operator has written them down
ENDED = {
    "stdout": json.dumps({"success": True, "runs": []}),
    "stderr": "",
    "rc": 0,
}  # the SuperLink's database was replaced


@pytest.fixture
def ward(home) -> Desk:
    """Put what the first release has left into a home."""
    for name in ("trainings", "published"):
        shutil.copytree(RECORDED / name, home.path / name)
    home.answers(list=ENDED)
    return Desk(TrainingFolder(str(home.path), "ward"))


def asked(**variables: object) -> dict[str, object]:
    training = Training.from_variables({**VARIABLES, **variables})
    return {
        "name": "ward",
        "app": "/opt/flower/app/fedops-app",
        "unit": "[Unit]\n",
        "run_config": training.toml,
        "configuration_hash": training.configuration_hash,
        "num_rounds": 4,
        "program": "0" * 64,
    }


def test_everything_of_it_is_read(ward) -> None:
    assert ward.folder.problems == []
    assert (ward.request.configuration_hash, ward.request.num_rounds) == (asked()["configuration_hash"], 4)
    later = {row.key: row.default for row in continuity.later_rows()}  # rows that it did not know
    had, asks = {**later, **continuity.renamed(values_of(ward.request.run_config))}, values_of(asked()["run_config"])
    idle = {row.key for row in continuity.VARIABLES if not row.applies_to("FedAdam")}  # whose defaults may have moved
    assert {key: had[key] for key in had.keys() - idle} == {key: asks[key] for key in asks.keys() - idle}
    assert (ward.memory.state, ward.memory.run_id, ward.memory.began, ward.memory.told) == ("running", "1", True, 2)
    assert differences(Training.from_variables(VARIABLES), ward.folder.effective) == []


def test_its_status_is_told(ward, run_module) -> None:
    told = run_module("run_info", name="ward")
    assert (told["configuration_hash"], told["num_rounds"]) == (asked()["configuration_hash"], 4)
    assert [entry["round"] for entry in told["history"]] == [1, 2]


def test_the_same_variables_go_on_with_it(ward, run_module) -> None:
    result = run_module("training", check_mode=True, **asked())
    assert (result["submitted"], result["finished"]) == (True, False)
    assert ward.request.configuration_hash == asked()["configuration_hash"]  # of a rehearsal, no run is told


@pytest.fixture
def moved(monkeypatch):
    """Have a release in which FedAdam's clients learn at another rate unless they are told."""
    row = dataclasses.replace(BY_NAME["client_lr"], default=0.2)
    rows = tuple(row if other.name == row.name else other for other in continuity.VARIABLES)
    monkeypatch.setattr(continuity, "VARIABLES", rows)
    monkeypatch.setattr(continuity, "DEFAULTS", {**continuity.DEFAULTS, "client_lr": ({"": 0.1}, {"": 0.2})})


@pytest.mark.parametrize("source", ["request", "effective"])
def test_a_default_that_has_changed_is_told_before_anything_is_done(home, ward, run_module, moved, source) -> None:
    if source == "effective":  # of a training that had no supervisor
        (home.path / "trainings" / "ward" / "request.json").unlink()
    result = run_module("training", check_mode=True, **asked(fl_client_lr=0.2))
    assert result["failed"] is True
    assert result["msg"] == (
        "ward: A default has changed since this training began: fl_client_lr was 0.1 and is 0.2, which makes it another"
        " training. Set fl_client_lr to 0.1 to go on with it; or give the new training a fl_training_name of its own,"
        " or set fl_resume to never to begin this one anew."
    )


def test_a_request_that_begins_anew_is_not_held_back(ward, moved) -> None:
    again = dataclasses.replace(ward.request, run_config=asked(fl_client_lr=0.2)["run_config"])
    with pytest.raises(DefaultMovedError):
        refuse_moved_defaults(ward.folder, again)
    refuse_moved_defaults(ward.folder, dataclasses.replace(again, force=True))
    refuse_moved_defaults(TrainingFolder(ward.folder.home, "other"), again)  # nothing is known of what was before


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"fl_client_lr": 0.1}, {}),
        ({"fl_client_lr": 0.2, "fl_resume": "never"}, {}),
        ({"fl_client_lr": 0.2}, {"force": True}),
        ({"fl_client_lr": 0.2, "fl_local_epochs": 3}, {}),
    ],
)
def test_a_choice_is_nobody_elses_business(ward, run_module, moved, variables, arguments) -> None:
    assert run_module("training", check_mode=True, **asked(**variables), **arguments)["submitted"] is True


def test_what_was_forgotten_of_it_does_not_matter(ward, run_module) -> None:
    ward.remember(Memory())
    assert run_module("training", check_mode=True, **asked())["submitted"] is True
