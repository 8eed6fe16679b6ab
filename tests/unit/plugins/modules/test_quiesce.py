# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import SystemdError, Unit
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import outlook, quiesce
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order

SLOW = "10117593754731237286"  # running in the recording list_three, stopped in list_after


class Systemd:
    """Units by the names of trainings; remembers what it was told to do."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.running: set[str] = set()
        self.refuses: set[str] = set()

    def control(self, *arguments: str) -> str:
        name = arguments[-1].partition("@")[2].removesuffix(".service")
        self.orders.append(f"{arguments[0]} {name}")
        if name in self.refuses:
            raise SystemdError("no.")
        if arguments[0] == "restart":
            self.running.add(name)
        if arguments[0] == "stop":
            self.running.discard(name)
        return ""

    def show_units(self, *names: str) -> list[Unit]:
        running = {f"flower-training@{name}.service" for name in self.running}
        return [Unit(name, "loaded", "active" if name in running else "inactive") for name in names]


@pytest.fixture
def systemd(monkeypatch) -> Systemd:
    systemd = Systemd()
    monkeypatch.setattr(quiesce, "control", systemd.control)
    monkeypatch.setattr(quiesce, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(quiesce, "ASK_EVERY", 0.01)
    for module in (quiesce, outlook):
        monkeypatch.setattr(module, "show_units", systemd.show_units)
    return systemd


@pytest.fixture
def supervise(home):
    """Make a training supervised, in some state; return its desk."""

    def make(name: str, state: str, **values: object) -> Desk:
        desk = Desk(TrainingFolder(str(home.path), name))
        desk.ask(Request(name, "/app", num_rounds=3, request_id="1"))
        desk.remember(replace(Memory(request_id="1", state=state, run_id=SLOW, ended=SLOW, runs=1), **values))
        return desk

    return make


def order(home) -> dict:
    return json.loads((home.path / "trainings" / "quiesced.json").read_text())


def test_a_federation_without_trainings_is_quiesced_at_once_and_only_once(home, systemd, run_module) -> None:
    home.answers(list="list_after")
    before = time.time()
    first = run_module("quiesce", timeout=100, wait_seconds=5)
    assert (first["changed"], first["quiesced"], first["done"], first["trainings"]) == (True, True, True, [])
    assert before + 100 <= order(home)["until"] <= time.time() + 100
    again = run_module("quiesce", timeout=100, wait_seconds=5)
    assert (again["changed"], again["done"]) == (False, True)
    assert first["diff"] == {"before": {"quiesced": False}, "after": {"quiesced": True}}


def test_a_host_that_is_not_deployed_has_nothing_to_wait_for(home, systemd, run_module) -> None:
    (home.path / "bin" / "flwr").unlink()
    assert run_module("quiesce")["done"] is True


def test_a_supervisor_at_work_is_waited_for_and_told_by_name(home, systemd, run_module, supervise) -> None:
    supervise("one", "running")
    systemd.running = {"one"}
    result = run_module("quiesce")
    assert (result["done"], result["waiting_for"], result["changed"]) == (False, ["one"], True)
    assert (systemd.orders, home.calls) == ([], [])


def test_what_has_come_to_stand_still_is_told_with_its_round(home, systemd, run_module, supervise) -> None:
    home.answers(list="list_after")
    supervise("one", "quiesced", detail="Quiesced after round 2 of 3.")
    supervise("two", "completed")
    supervise("three", "quiesced").stop()
    event = {
        "event": "round_finished",
        "round": 2,
        "num_rounds": 3,
        "run_id": SLOW,
        "checkpoint": "c.npz",
    }
    home.ledger((SLOW, "h", 3), name="one")
    home.training("one", history=[event])
    result = run_module("quiesce")
    told = [
        (entry["name"], entry["detail"], entry["round"], entry["checkpoint"]["file"]) for entry in result["trainings"]
    ]
    assert told == [("one", "Quiesced after round 2 of 3.", 2, "c.npz")]


def test_a_sooner_end_is_taken_and_a_later_one_is_not(home, systemd, run_module) -> None:
    home.answers(list="list_after")
    run_module("quiesce", timeout=100)
    until = order(home)["until"]
    assert run_module("quiesce", timeout=200)["changed"] is False
    assert order(home)["until"] == until
    run_module("quiesce", timeout=1)
    assert order(home)["until"] < until


def test_check_mode_changes_nothing(home, systemd, run_module, supervise) -> None:
    home.answers(list="list_after")
    supervise("one", "quiesced")
    assert run_module("quiesce", check_mode=True)["changed"] is True
    assert not (home.path / "trainings" / "quiesced.json").exists()
    give_order(str(home.path / "trainings"), 10)
    assert run_module("quiesce", check_mode=True)["changed"] is False
    result = run_module("quiesce", check_mode=True, state="resumed")
    assert (result["changed"], result["quiesced"], [entry["name"] for entry in result["trainings"]]) == (
        True,
        True,
        ["one"],
    )
    assert (systemd.orders, (home.path / "trainings" / "quiesced.json").exists()) == ([], True)


def test_what_does_not_heed_the_order_in_time_is_stopped_hard_and_goes_on_later(
    home, systemd, run_module, supervise, monkeypatch
) -> None:
    monkeypatch.setattr(quiesce, "GRACE", -1)
    home.ledger((SLOW, "h", 3))
    home.training(effective={"run_id": SLOW})
    home.answers(list=["list_three", "list_after"], stop="stop")
    desk = supervise("default", "running", ended="")
    systemd.running = {"default"}
    result = run_module("quiesce", timeout=0)
    assert (result["done"], result["changed"], systemd.orders) == (True, True, ["stop default"])
    assert home.commands == ["list local", f"stop {SLOW} local", "list local"]
    memory = desk.memory
    assert (memory.state, memory.ended, memory.began, memory.restart_count) == ("quiesced", SLOW, True, 0)
    assert [entry["name"] for entry in result["trainings"]] == ["default"]


def test_a_run_that_could_not_be_stopped_hard_is_not_taken_for_ended(
    home, systemd, run_module, supervise, monkeypatch
) -> None:
    monkeypatch.setattr(quiesce, "GRACE", -1)
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three", stop="list_unreachable")
    desk = supervise("default", "running", ended="")
    systemd.running = {"default"}
    assert run_module("quiesce", timeout=0)["failed"] is True
    assert (desk.memory.state, desk.memory.ended, systemd.running) == ("quiesced", "", set())


def test_the_run_of_a_training_without_a_supervisor_is_waited_for_and_then_stopped(
    home, systemd, run_module, monkeypatch
) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    result = run_module("quiesce", timeout=100)
    assert (result["done"], result["waiting_for"], home.commands) == (False, ["default"], ["list local"])
    monkeypatch.setattr(quiesce, "GRACE", -1)
    home.answers(list=["list_three", "list_after"], stop="stop")
    assert run_module("quiesce", timeout=0)["done"] is True
    assert f"stop {SLOW} local" in home.commands


def test_a_run_that_belongs_to_no_training_is_told_and_left_alone(home, systemd, run_module) -> None:
    home.answers(list="list_three")
    result = run_module("quiesce", timeout=0)
    assert (result["done"], result["other_runs"], home.commands) == (True, [SLOW], ["list local"])


def test_a_superlink_that_does_not_answer_is_told(home, systemd, run_module) -> None:
    home.answers(list="list_unreachable")
    result = run_module("quiesce")
    assert (result["done"], bool(result["unknown"])) == (True, True)


def test_those_are_resumed_that_the_quiesce_has_stopped_and_no_others(home, systemd, run_module, supervise) -> None:
    home.answers(list="list_after")
    supervise("one", "quiesced")
    supervise("two", "quiesced").stop()
    supervise("three", "failed")
    supervise("four", "stopped")
    run_module("quiesce")
    result = run_module("quiesce", state="resumed")
    assert systemd.orders == ["reset-failed one", "enable one", "restart one"]
    assert (result["changed"], result["quiesced"], [entry["name"] for entry in result["trainings"]]) == (
        True,
        False,
        ["one"],
    )
    assert not (home.path / "trainings" / "quiesced.json").exists()


def test_a_resume_goes_on_where_another_one_was_interrupted(home, systemd, run_module, supervise) -> None:
    supervise("one", "quiesced")
    result = run_module("quiesce", state="resumed")
    assert (result["changed"], systemd.running) == (True, {"one"})


def test_a_federation_that_is_not_quiesced_is_not_changed_by_a_resume(home, systemd, run_module, supervise) -> None:
    supervise("one", "running")
    systemd.running = {"one"}
    result = run_module("quiesce", state="resumed")
    assert (result["changed"], systemd.orders) == (False, [])


def test_one_training_that_cannot_be_started_does_not_hold_the_others(home, systemd, run_module, supervise) -> None:
    supervise("one", "quiesced")
    supervise("two", "quiesced")
    systemd.refuses = {"one"}
    assert run_module("quiesce", state="resumed")["msg"] == "one: no."
    assert systemd.running == {"two"}


@pytest.mark.parametrize("timeout", [-1, "inf", "nan", "soon"])
def test_a_timeout_that_is_none_is_refused_before_anything_is_done(home, systemd, run_module, timeout) -> None:
    assert run_module("quiesce", timeout=timeout)["failed"] is True
    assert not (home.path / "trainings").exists()
