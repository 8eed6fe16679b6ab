# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that has ended is forgotten: what is removed, what stays, and when that is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import control
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.forgetting import NotForgottenError, forget
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order

from ..saved import save

RUN = "10117593754731237286"  # running in the recording list_three, stopped in list_after


@pytest.fixture
def systemd(monkeypatch) -> dict:
    """What systemd tells of the unit, and what it was told to do."""
    world = {"active": "inactive", "orders": []}

    def units(*names: str) -> list[Unit]:
        return [Unit(name, "loaded", world["active"], "") for name in names]

    monkeypatch.setattr(control, "show_units", units)
    monkeypatch.setattr(control, "control", lambda *words: world["orders"].append(words[0]))
    return world


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def desk(home, checkpoints: Path) -> Desk:
    """A training that has failed after two rounds, and another one that saves in the same directory."""
    home.ledger((RUN, "h", 3), name="demo")
    home.ledger(("17", "h", 3), name="other")
    home.answers(list="list_after")
    home.published("demo")
    app = home.path / "app" / "of_trainings" / "demo" / ("0" * 64)
    app.mkdir(parents=True)
    desk = Desk(TrainingFolder(str(home.path), "demo"))
    config = f'training-name = "demo"\ncheckpoint-enabled = true\ncheckpoint-path = "{checkpoints}"\n'
    desk.ask(Request("demo", "/app", config, request_id="1"))
    desk.remember(Memory(request_id="1", state="failed"))
    own = checkpoints / "demo"
    save(own, 1)
    save(own, 2)
    save(own, 7, training="other")
    save(own / "previous" / "demo-00000000", 5)
    for name, number in (("latest", 2), ("best", 7)):
        (own / f"checkpoint_{name}.npz").symlink_to(f"checkpoint_round_{number}.npz")
        (own / f"checkpoint_{name}.json").write_text("{}")
    return desk


def files_below(path: Path) -> set[str]:
    return {str(found.relative_to(path)) for found in path.rglob("*") if found.is_symlink() or found.is_file()}


def test_it_leaves_its_checkpoints_and_what_is_not_its_own(home, systemd, desk, checkpoints, run_module) -> None:
    before = files_below(checkpoints)
    foreseen = run_module("training", check_mode=True, name="demo", state="absent")
    assert (foreseen["changed"], desk.request is not None, systemd["orders"]) == (True, True, [])
    result = run_module("training", name="demo", state="absent")
    assert (result["changed"], result["status"], result["removed"]) == (True, "absent", foreseen["removed"])
    assert result["removed"] == [
        str(home.path / place) for place in ("published/demo", "app/of_trainings/demo", "trainings/demo")
    ]
    assert not any(map(os.path.lexists, result["removed"]))
    assert sorted(os.listdir(home.path / "trainings")) == ["other"]
    assert files_below(checkpoints) == before
    assert systemd["orders"] == ["disable", "reset-failed"]
    assert [each["name"] for each in run_module("run_info")["trainings"]] == ["other"]
    again = run_module("training", name="demo", state="absent", remove_checkpoints=True)
    assert (again["changed"], again["removed"]) == (False, [])


def test_its_checkpoints_go_when_that_is_asked_for_and_no_others(systemd, desk, checkpoints, run_module) -> None:
    result = run_module("training", name="demo", state="absent", remove_checkpoints=True)
    assert (result["changed"], len(result["removed"])) == (True, 3 + 2 + 4 + 2 + 2)  # and the folders of the last two
    assert files_below(checkpoints) == {
        "demo/checkpoint_round_7.npz", "demo/checkpoint_round_7.json",
        "demo/checkpoint_best.npz", "demo/checkpoint_best.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("supervised", "while its supervisor runs"),
        ("quiesced", "while it is to go on by itself"),
        ("alive", f"while its run {RUN} is alive"),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_one_that_goes_on_is_refused(home, systemd, desk, run_module, how, why, check_mode) -> None:
    if how == "supervised":
        systemd["active"] = "active"
    elif how == "quiesced":
        give_order(desk.folder.parent, 60)
        desk.remember(Memory(request_id="1", state="quiesced"))
    else:
        home.answers(list="list_three")
    result = run_module("training", check_mode=check_mode, name="demo", state="absent")
    assert result["msg"] == f"demo: it is not forgotten {why}. Stop it first (playbook fedops.flower.stop)."
    assert (desk.request is not None, systemd["orders"]) == (True, [])


def test_nothing_is_forgotten_while_nobody_can_be_asked(home, systemd, desk, run_module) -> None:
    home.answers(list="list_unreachable")
    assert "SuperLink is unavailable" in run_module("training", name="demo", state="absent")["msg"]
    assert desk.request is not None


def test_checkpoints_that_nobody_knows_of_are_not_searched_for(home, systemd, run_module) -> None:
    home.ledger((RUN, "h", 3), name="old")
    home.answers(list="list_after")
    refused = run_module("training", name="old", state="absent", remove_checkpoints=True)
    assert refused["msg"].startswith("old: where its checkpoints lie is not known.")
    assert run_module("training", name="old", state="absent")["changed"] is True


def test_a_storage_that_fails_loses_neither_records_nor_checkpoints(
    home, systemd, desk, checkpoints, monkeypatch
) -> None:
    def fail(path: str) -> list[str]:
        raise OSError(5, "Input/output error", path)

    supervising = control.Supervising(Flwr(str(home.path)), desk.folder)
    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", fail)
        with pytest.raises(NotForgottenError, match="cannot be read: Input/output error. Bring the storage back"):
            forget(supervising, with_checkpoints=True)
    assert (desk.request is not None, (checkpoints / "demo/checkpoint_round_1.npz").exists()) == (True, True)
