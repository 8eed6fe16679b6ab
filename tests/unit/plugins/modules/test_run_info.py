# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._quiesce import give_order
from ansible_collections.fedops.flower.plugins.module_utils._systemd import Unit

RUNS = {"completed": "4054059867765540810", "failed": "17304172647888193640", "stopped": "10117593754731237286"}
FAB = "043e4ac48e9656d160726ac53e918671aa2d7f43e920078f247f4573546af68e"
ABSENT = {
    "name": "default",
    "run_id": None,
    "status": "absent",
    "details": None,
    "alive": False,
    "finished": False,
    "configuration_hash": None,
    "num_rounds": None,
    "fab_hash": None,
    "history": [],
    "effective": None,
    "result": None,
    "problems": [],
    "supervision": None,
    "log_tail": [],
}
FAILED = {
    **ABSENT,
    "run_id": RUNS["failed"],
    "status": "failed",
    "details": "ServerApp failed with exception: the data went away",
    "configuration_hash": "h",
    "num_rounds": 3,
    "fab_hash": FAB,
}


def test_a_training_that_never_was_is_absent(home, run_module) -> None:
    home.answers(list="list_after")
    assert run_module("run_info", name="default") == {"changed": False, **ABSENT}


def test_the_newest_run_of_a_training_is_described_with_what_it_left(home, run_module) -> None:
    home.ledger((RUNS["completed"], "h", 2), (RUNS["failed"], "h", 3))
    history = [{"event": "round_finished", "round": 1, "run_id": RUNS["failed"]}]
    home.training(history=history, effective={"run_id": RUNS["failed"]})
    home.answers(list="list_after", log="log_fail")
    assert run_module("run_info", name="default", log_lines=1) == {
        "changed": False,
        **FAILED,
        "history": history,
        "effective": {"run_id": RUNS["failed"]},
        "log_tail": ["For more information, visit: <https://flower.ai/docs/framework/1.41/en/ref-exit-codes/201.html>"],
    }


@pytest.mark.parametrize("status", RUNS)
def test_a_run_is_found_by_its_id_alone(home, run_module, status) -> None:
    home.ledger(*((run_id, "h", 3) for run_id in RUNS.values()))
    home.answers(list="list_after")
    result = run_module("run_info", run_id=RUNS[status])
    assert (result["name"], result["status"], result["finished"]) == ("default", status, status == "completed")


def test_a_run_of_no_training_of_ours_is_described_as_well(home, run_module) -> None:
    home.answers(list="list_after")
    expected = {**FAILED, "name": None, "configuration_hash": None, "num_rounds": None}
    assert run_module("run_info", run_id=RUNS["failed"]) == {"changed": False, **expected}


def test_without_a_name_every_training_is_described_with_one_listing(home, run_module) -> None:
    home.ledger((RUNS["failed"], "h", 3), name="b")
    home.training("a")
    home.answers(list="list_after")
    assert run_module("run_info") == {
        "changed": False,
        "trainings": [{**ABSENT, "name": "a"}, {**FAILED, "name": "b"}],
        "quiesced": None,
        "superlink_problem": None,
    }
    assert home.commands == ["list local"]


AWAY = "Flower says: Connection to the SuperLink is unavailable. Look at the unit flower-superlink on this host."
UNKNOWN_RUN = {"run_id": "7", "status": "unreachable", "details": AWAY, "alive": False, "finished": False}


def test_a_superlink_that_does_not_answer_leaves_every_training_to_its_files(home, supervised, run_module) -> None:
    history = [{"event": "round_finished", "round": 1, "run_id": "7"}]
    home.ledger(("7", "h", 3))
    home.training(history=history)
    home.ledger(("8", "h", 2), name="done")
    home.training("done", result={"run_id": "8", "configuration_hash": "h", "rounds": 2})
    home.training("never")
    home.answers(list="list_unreachable")
    seen = run_module("run_info", log_lines=5)
    told, done, never = seen["trainings"]
    assert seen["superlink_problem"] == AWAY
    assert (told, told["supervision"]["state"], told["supervision"]["round"]) == (
        {**told, **UNKNOWN_RUN, "history": history, "log_tail": []}, "running", 1,
    )  # fmt: skip
    assert (done["status"], done["details"], done["finished"]) == ("completed", None, True)
    assert never == {**ABSENT, "name": "never"}
    assert home.commands == ["list local"]


def test_one_training_is_told_from_its_files_as_well(home, supervised, run_module) -> None:
    home.ledger(("7", "h", 3))
    home.answers(list="list_unreachable")
    for named in ({"name": "default"}, {"run_id": "7"}, {"name": "default", "wait_seconds": 0.1}):
        seen = run_module("run_info", **named)
        assert (seen, seen["supervision"]["state"]) == ({**seen, **UNKNOWN_RUN}, "running")


def test_flower_that_fails_in_any_way_hides_no_training(home, supervised, run_module) -> None:
    (home.path / "venv" / "bin" / "flwr").unlink()
    seen = run_module("run_info")
    assert [training["supervision"]["state"] for training in seen["trainings"]] == ["running"]
    assert "cannot be run" in seen["superlink_problem"]


def test_a_federation_that_is_quiesced_is_told(home, run_module) -> None:
    home.answers(list="list_after")
    give_order(str(home.path / "trainings"), 10)
    assert run_module("run_info")["quiesced"].startswith("20")


def test_waiting_for_a_training_that_never_was_does_not_wait(home, run_module) -> None:
    home.answers(list="list_empty")
    assert run_module("run_info", name="default", wait_seconds=60)["status"] == "absent"


def test_waiting_ends_with_the_round(home, run_module) -> None:
    home.ledger((RUNS["completed"], "h", 9))
    event = {"event": "round_finished", "round": 4, "num_rounds": 9, "run_id": RUNS["completed"]}
    home.training(history=[event])
    result = run_module("run_info", name="default", run_id=RUNS["completed"], wait_for_round=4, wait_seconds=60)
    assert (result["status"], result["alive"], result["history"], home.calls) == ("running", True, [event], [])


def test_a_host_without_flower_has_no_runs_in_check_mode_and_else_fails(home, run_module) -> None:
    (home.path / "venv" / "bin" / "flwr").unlink()
    assert run_module("run_info", check_mode=True, name="default") == {"changed": False, **ABSENT}
    assert run_module("run_info", name="default")["failed"] is True


@pytest.fixture
def supervised(home, monkeypatch):
    """A training whose supervisor, as systemd says, is at work."""
    from ansible_collections.fedops.flower.plugins.module_utils import _follow, _outlook, _supervised
    from ansible_collections.fedops.flower.plugins.module_utils._trainings import TrainingFolder

    home.ledger(("7", "h", 3))
    units = [Unit("flower-training@default.service", "loaded", "active", "running")]
    for module in (_follow, _outlook):
        monkeypatch.setattr(module, "look", lambda name: units)
    monkeypatch.setattr(_follow, "LOOK_EVERY", 0.05)
    desk = _supervised.Desk(TrainingFolder(str(home.path), "default"))
    desk.ask(_supervised.Request("default", "/app", num_rounds=3, request_id="1"))
    desk.remember(_supervised.Memory(request_id="1", state="running", run_id="7", runs=1))
    return desk, units


def test_a_supervised_training_is_looked_at_without_a_question_to_flower(home, supervised, run_module) -> None:
    seen = run_module("run_info", name="default", wait_for_change="", wait_seconds=5)["supervision"]
    assert (seen["state"], seen["run_id"], seen["signature"]) == ("running", "7", "1 running  7 0")
    started = time.monotonic()
    again = run_module("run_info", name="default", wait_for_change=seen["signature"], wait_seconds=0.3)
    assert (again["supervision"], time.monotonic() - started >= 0.3) == (seen, True)
    assert home.calls == []


def test_a_run_that_is_still_to_be_stopped_is_told(home, supervised, run_module) -> None:
    desk, dummy = supervised
    memory = desk.memory
    memory.state, memory.detail = "stopped", "An operator has stopped it."
    desk.remember(memory)
    desk.leave("7")
    home.answers(list="list_unreachable")
    details = []
    for change in (lambda: None, desk.stop, lambda: desk.leave("")):
        change()
        details.append(run_module("run_info")["trainings"][0]["supervision"]["detail"])
    stopped = "An operator has stopped it."
    assert details == [stopped, f"{stopped} Run 7 is stopped as soon as the SuperLink answers.", stopped]


def test_a_systemd_that_does_not_answer_is_no_news(home, supervised, run_module) -> None:
    dummy, units = supervised
    units[0] = Unit("flower-training@default.service")
    started = time.monotonic()
    look = run_module("run_info", name="default", wait_for_change="1 running  7 0", wait_seconds=0.3)
    assert (look["supervision"]["state"], time.monotonic() - started >= 0.3) == ("running", True)


@pytest.mark.parametrize("news", ["round", "state", "unit"])
def test_news_of_a_supervised_training_end_the_wait(home, supervised, run_module, news) -> None:
    desk, units = supervised

    def happen() -> None:
        if news == "round":
            home.training(history=[{"event": "round_finished", "round": 1, "run_id": "7"}])
        elif news == "state":
            memory = desk.memory
            memory.state = "waiting"
            desk.remember(memory)
        else:
            units[0] = replace(units[0], active="failed", result="start-limit-hit")

    timer = threading.Timer(0.2, happen)
    timer.start()
    started = time.monotonic()
    look = run_module("run_info", name="default", wait_for_change="1 running  7 0", wait_for_round=1, wait_seconds=30)
    timer.join()
    assert time.monotonic() - started < 15
    expected = {"round": "running", "state": "waiting", "unit": "halted"}[news]
    assert (look["supervision"]["state"], len(look["history"])) == (expected, 1 if news == "round" else 0)
    assert home.calls == []
