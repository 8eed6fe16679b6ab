# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order

RUN, FAB = "4054059867765540810", "043e4ac48e9656d160726ac53e918671aa2d7f43e920078f247f4573546af68e"
SLOW = "10117593754731237286"  # running in the recording list_three, stopped in list_after
APP = {"name": "default", "app": "/opt/flower/app/testapp"}
ASKED = {**APP, "run_config": "num-rounds = 3\n", "configuration_hash": "h", "num_rounds": 3}


def ledger_of(home) -> list:
    path = home.path / "trainings" / "default" / "ledger.json"
    return json.loads(path.read_text())["runs"] if path.exists() else []


def test_a_new_training_is_submitted_and_written_down(home, run_module) -> None:
    home.answers(list="list_empty", run="run")
    assert run_module("run", **ASKED) == {
        "changed": True,
        "submitted": True,
        "stopped": [],
        "finished": False,
        "alive": True,
        "name": "default",
        "run_id": RUN,
        "status": "pending",
        "details": None,
        "configuration_hash": "h",
        "num_rounds": 3,
        "fab_hash": "043e4ac4",
        "history": [],
        "effective": None,
        "result": None,
        "problems": [],
        "diff": {
            "before": {"run_id": None, "status": "absent", "configuration": "unknown", "num_rounds": None},
            "after": {"run_id": RUN, "status": "pending", "configuration": "h", "num_rounds": 3},
        },
    }
    assert home.commands == ["list local", "run /opt/flower/app/testapp local --run-config run_config.toml"]
    (entry,) = ledger_of(home)
    assert entry.pop("submitted_at").endswith("+00:00")
    assert entry == {
        "run_id": RUN, "configuration_hash": "h", "fab_hash": "043e4ac4", "num_rounds": 3, "request_id": "",
    }  # fmt: skip


def test_the_directory_of_a_supervised_training_that_goes_on_is_refused(home, run_module) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    Desk(TrainingFolder(str(home.path), "other")).ask(Request("other", "/app", config, request_id="1"))
    home.answers(list="list_empty", run="run")
    result = run_module("run", **{**ASKED, "run_config": config})
    assert result["failed"] is True
    assert result["msg"].startswith("default: fl_checkpoint_path is /c, where the training other saves, which is not")
    assert home.commands == ["list local"]


def test_check_mode_says_that_a_run_would_be_submitted_and_leaves_no_trace(home, run_module) -> None:
    home.answers(list="list_empty")
    result = run_module("run", check_mode=True, **ASKED)
    assert (result["changed"], result["status"], result["run_id"]) == (True, "submitted", None)
    assert (home.commands, (home.path / "trainings").exists()) == (["list local"], False)


def test_check_mode_works_on_a_host_without_flower(home, run_module) -> None:
    (home.path / "bin" / "flwr").unlink()
    assert run_module("run", check_mode=True, **ASKED)["changed"] is True
    assert run_module("run", **ASKED)["failed"] is True


def test_a_run_that_is_alive_is_adopted(home, run_module) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    result = run_module("run", **ASKED)
    assert {key: result[key] for key in ("changed", "submitted", "alive", "run_id", "status")} == {
        "changed": False,
        "submitted": False,
        "alive": True,
        "run_id": SLOW,
        "status": "running",
    }
    assert home.commands == ["list local"]


def test_nothing_is_submitted_while_the_federation_is_quiesced(home, run_module) -> None:
    give_order(str(home.path / "trainings"), 10)
    home.answers(list="list_empty", run="run")
    result = run_module("run", **ASKED)
    assert (result["failed"], "fedops.flower.resume" in result["msg"]) == (True, True)
    assert home.commands == ["list local"]


def test_a_finished_training_is_left_alone(home, run_module) -> None:
    home.ledger((RUN, "h", 3))
    result = {"run_id": RUN, "configuration_hash": "h", "rounds": 3, "checkpoint": "checkpoint_round_3.npz"}
    home.training(result=result, history=[{"event": "round_finished", "round": 3, "run_id": RUN}])
    home.answers(list="list_after")
    assert run_module("run", **ASKED) == {
        "changed": False,
        "submitted": False,
        "stopped": [],
        "finished": True,
        "alive": False,
        "name": "default",
        "run_id": RUN,
        "status": "completed",
        "details": None,
        "configuration_hash": "h",
        "num_rounds": 3,
        "fab_hash": FAB,
        "history": [{"event": "round_finished", "round": 3, "run_id": RUN}],
        "effective": None,
        "result": result,
        "problems": [],
    }


def test_force_stops_what_is_alive_and_submits(home, run_module) -> None:
    home.ledger((SLOW, "other", 3))
    home.answers(list="list_three", stop="stop", run="run")
    result = run_module("run", **ASKED, force=True)
    assert (result["run_id"], result["stopped"]) == (RUN, [SLOW])
    assert [entry["run_id"] for entry in ledger_of(home)] == [SLOW, RUN]


def test_another_configuration_that_is_alive_fails_the_task(home, run_module) -> None:
    home.ledger((SLOW, "other", 3))
    home.answers(list="list_three")
    result = run_module("run", **ASKED)
    assert (result["failed"], home.commands) == (True, ["list local"])
    assert result["msg"].startswith(f"default: Run {SLOW} is running with another configuration (other, asked for: h).")


def test_a_refused_submission_is_not_written_down(home, run_module) -> None:
    home.answers(list="list_empty", run="run_badkey")
    result = run_module("run", **ASKED)
    assert (result["failed"], ledger_of(home)) == (True, [])
    assert result["msg"].startswith("Flower says: Invalid run configuration. (code 15)")


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_run_that_is_alive_is_stopped(home, run_module, check_mode) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three", stop="stop")
    result = run_module("run", check_mode=check_mode, name="default", state="stopped")
    assert (result["changed"], result["stopped"]) == (True, [SLOW])
    assert (result["status"], result["alive"]) == (("running", True) if check_mode else ("stopped", False))
    assert [result["diff"][side]["status"] for side in ("before", "after")] == ["running", "stopped"]
    assert home.commands == (["list local"] if check_mode else ["list local", f"stop {SLOW} local"])


@pytest.mark.parametrize(("listing", "status"), [("list_after", "stopped"), ("list_empty", "lost")])
def test_nothing_alive_means_nothing_to_stop(home, run_module, listing, status) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list=listing)
    result = run_module("run", name="default", state="stopped")
    assert (result["changed"], result["stopped"], result["status"]) == (False, [], status)


def test_a_run_that_ends_before_it_can_be_stopped_was_not_stopped_by_us(home, run_module) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list=["list_three", "list_after"], stop="stop_again")
    result = run_module("run", name="default", state="stopped")
    assert (result["changed"], result["stopped"], result["status"]) == (False, [], "stopped")


@pytest.mark.parametrize("arguments", [{"name": "default"}, {**APP, "name": "../etc"}, {**APP, "num_rounds": "many"}])
def test_bad_input_is_refused_before_flower_is_asked(home, run_module, arguments) -> None:
    assert run_module("run", **arguments)["failed"] is True
    assert home.calls == []
