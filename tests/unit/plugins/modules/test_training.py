# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._flower.deployment import AppDeployment
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import control as _supervising
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import outlook
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import LedgerEntry, TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order

from ..module_utils._flower.test_deployment import Source, deploy, pack

SLOW = "10117593754731237286"  # running in the recording list_three, stopped in list_after
PROGRAM = b"the supervisor"
UNIT = "[Unit]\n"
ASKED = {
    "name": "default",
    "app": "/opt/flower/app/testapp",
    "unit": UNIT,
    "run_config": "num-rounds = 3\n",
    "configuration_hash": "h",
    "num_rounds": 3,
    "program": hashlib.sha256(PROGRAM).hexdigest(),
}
NAME = "flower-training@default.service"


class Systemd:
    """Remembers what it was told to do."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.unit = Unit(NAME, "loaded", "inactive", "dead")
        self.starts = True

    def control(self, *arguments: str) -> str:
        self.orders.append(" ".join(word for word in arguments if word not in ("--quiet", NAME)))
        if arguments[0] in ("start", "restart") and self.starts:
            self.unit = Unit(NAME, "loaded", "active", "running")
        if arguments[0] == "stop":
            self.unit = Unit(NAME, "loaded", "inactive", "dead")
        return ""

    def show_units(self, *names: str) -> list[Unit]:
        return [self.unit for dummy in names]


@pytest.fixture
def systemd(monkeypatch, tmp_path) -> Systemd:
    systemd = Systemd()
    monkeypatch.setattr(_supervising, "UNIT_FOLDER", str(tmp_path))
    monkeypatch.setattr(_supervising, "STOP_PATIENCE", 0)
    monkeypatch.setattr(_supervising, "control", systemd.control)
    for module in (_supervising, outlook):
        monkeypatch.setattr(module, "show_units", systemd.show_units)
    return systemd


@pytest.fixture
def archive(tmp_path) -> str:
    path = tmp_path / "files.tar"
    with tarfile.open(path, "w") as target:
        member = tarfile.TarInfo("fedops-supervisor.pyz")
        member.size = len(PROGRAM)
        target.addfile(member, io.BytesIO(PROGRAM))
    return str(path)


@pytest.fixture
def desk(home) -> Desk:
    return Desk(TrainingFolder(str(home.path), "default"))


@pytest.fixture
def started(systemd, archive, run_module, desk) -> dict:
    """Start the training; return what the module returns."""
    result = run_module("training", **ASKED, archive=archive)
    systemd.orders.clear()
    return result


def test_the_program_is_asked_for_before_anything_is_done(home, systemd, run_module) -> None:
    assert run_module("training", **ASKED) == {"changed": False, "needs_archive": True}
    assert (systemd.orders, home.calls, (home.path / "trainings").exists()) == ([], [], False)


def test_a_new_training_is_installed_written_down_and_started_without_a_question_to_flower(
    home, systemd, archive, run_module, desk, tmp_path
) -> None:
    result = run_module("training", **ASKED, archive=archive)
    assert systemd.orders == ["daemon-reload", "reset-failed", "enable", "start"]
    assert (home.path / "supervisor" / "fedops-supervisor.pyz").read_bytes() == PROGRAM
    assert (tmp_path / "flower-training@.service").read_text() == UNIT
    request = desk.request
    assert (request.app, request.num_rounds, request.stall_floor) == ("/opt/flower/app/testapp", 3, 900)
    assert home.calls == []
    assert {key: result[key] for key in ("changed", "submitted", "finished", "status", "run_id", "alive")} == {
        "changed": True, "submitted": True, "finished": False, "status": "submitted", "run_id": None, "alive": True,
    }  # fmt: skip
    assert result["request_id"] == request.request_id != ""
    assert result["diff"]["before"]["supervisor"] == "program, unit"


@pytest.mark.parametrize("check_mode", [False, True])
def test_the_directory_of_a_training_that_goes_on_is_refused_before_anything_is_done(
    home, systemd, archive, run_module, check_mode
) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    other = Desk(TrainingFolder(str(home.path), "other"))
    other.ask(Request("other", "/app", config, request_id="1"))
    asked = {**ASKED, "run_config": config, "archive": archive}
    result = run_module("training", check_mode=check_mode, **asked)
    assert result["failed"] is True
    assert result["msg"].startswith("default: fl_checkpoint_path is /c, where the training other saves, which is not")
    assert (systemd.orders, home.calls, (home.path / "supervisor").exists()) == ([], [], False)
    other.stop()
    assert run_module("training", check_mode=check_mode, **asked)["submitted"] is True


def test_what_is_asked_for_without_a_hash_and_rounds_is_not_finished_where_nothing_was_trained(
    home, systemd, archive, run_module
) -> None:
    result = run_module("training", **{**ASKED, "configuration_hash": None, "num_rounds": None}, archive=archive)
    assert (result["status"], result["finished"], systemd.orders[-1:]) == ("submitted", False, ["start"])


def test_check_mode_changes_nothing(home, systemd, run_module, tmp_path) -> None:
    (home.path / "bin" / "flwr").unlink()
    result = run_module("training", check_mode=True, **ASKED)
    assert (result["changed"], result["submitted"], result["status"]) == (True, True, "submitted")
    assert (systemd.orders, (home.path / "trainings").exists(), (home.path / "supervisor").exists()) == (
        [],
        False,
        False,
    )


def test_a_rehearsal_tells_nothing_of_an_older_run(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    lost = [{"run_id": SLOW, "reason": "gone", "detail": "It is gone.", "round": 1}]
    desk.remember(
        Memory(started["request_id"], "completed", run_id=SLOW, ended=SLOW, runs=2, restart_count=1, restarts=lost)
    )
    result = run_module("training", check_mode=True, **{**ASKED, "num_rounds": 5})
    assert (result["submitted"], result["status"], result["num_rounds"]) == (True, "submitted", 5)
    assert (result["run_id"], result["fab_hash"], result["supervision"], result["request_id"]) == (
        None,
        None,
        None,
        None,
    )
    assert result["diff"]["before"]["run_id"] == SLOW


def test_a_training_under_way_is_followed_and_nothing_is_changed(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    result = run_module("training", **ASKED)
    assert (result["changed"], result["submitted"], result["alive"], systemd.orders) == (False, False, True, [])
    assert result["request_id"] == started["request_id"] == desk.request.request_id


def test_a_supervisor_of_another_release_is_replaced_while_its_run_goes_on(home, systemd, started, run_module) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    result = run_module("training", **{**ASKED, "unit": "[Service]\n"})
    assert (result["changed"], result["submitted"]) == (True, False)
    assert systemd.orders == ["daemon-reload", "restart"]


def test_more_rounds_are_asked_for_anew_and_the_run_is_not_stopped(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    result = run_module("training", **{**ASKED, "num_rounds": 5})
    assert (result["submitted"], desk.request.num_rounds) == (True, 5)
    assert systemd.orders == ["stop", "reset-failed", "enable", "start"]
    assert home.commands == ["list local"]


@pytest.mark.parametrize("state", ["failed", "given_up", "refused", "stopped", "running"])
def test_a_training_that_does_not_go_on_is_started_again(home, systemd, started, run_module, desk, state) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state=state, run_id=SLOW, ended=SLOW))
    systemd.unit = Unit(NAME, "loaded", "failed", "failed")
    if state == "stopped":
        desk.stop()
    result = run_module("training", **ASKED)
    assert (result["changed"], result["submitted"], desk.is_stopped) == (True, True, False)
    assert desk.request.request_id != started["request_id"]
    assert systemd.orders == ["reset-failed", "enable", "start"]


def test_a_supervisor_that_is_just_ending_is_not_relied_upon(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    desk.remember(Memory(request_id=started["request_id"], state="running", run_id=SLOW))
    systemd.unit = Unit(NAME, "loaded", "deactivating", "stop-sigterm")
    assert run_module("training", **ASKED)["submitted"] is True
    assert systemd.orders == ["stop", "reset-failed", "enable", "start"]


def test_a_run_that_was_just_stopped_by_hand_is_started_again(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="running", run_id=SLOW))
    assert run_module("training", **ASKED)["submitted"] is True


def test_a_run_that_the_supervisor_itself_has_stopped_is_left_to_it(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="restarting", run_id=SLOW, ended=SLOW))
    assert run_module("training", **ASKED)["submitted"] is False


def test_a_finished_training_is_left_alone_without_a_question(home, systemd, run_module) -> None:
    home.ledger((SLOW, "h", 3))
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 3})
    result = run_module("training", **ASKED)
    assert (result["changed"], result["finished"], result["status"], result["run_id"]) == (
        False,
        True,
        "completed",
        SLOW,
    )
    assert (systemd.orders, home.calls) == ([], [])


@pytest.mark.parametrize(
    ("trained", "more", "warned"),
    [
        (3, {}, False),
        (5, {}, True),
        (5, {"configuration_hash": "another"}, False),
        (5, {"run_config": 'resume = "never"\n'}, False),
    ],
)
def test_fewer_rounds_than_are_trained_already_is_a_warning(
    home, systemd, archive, run_module, monkeypatch, trained, more, warned
) -> None:
    home.ledger((SLOW, "h", 5))
    home.answers(list="list_after")
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": trained})
    warnings = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warnings.append(text))
    run_module("training", **{**ASKED, **more}, archive=archive)
    assert any("fl_num_rounds is 3 but 5 rounds are trained already." in line for line in warnings) is warned


def test_a_training_is_submitted_from_a_copy_of_its_own_whatever_is_deployed_meanwhile(
    home, systemd, archive, run_module, desk, tmp_path
) -> None:
    for name in ("app", "records", "records/apps"):
        (home.path / name).mkdir()
        (home.path / name).chmod(0o755)
    deployment, source = AppDeployment(str(home.path), "an-app", pack), Source(tmp_path)
    fab_hash = deploy(deployment, source)["fab_hash"]
    asked = {**ASKED, "app": deployment.path}
    run_module("training", check_mode=True, **asked)
    assert not (home.path / "app" / "of_trainings").exists()
    run_module("training", **asked, archive=archive)
    assert desk.request.app == str(home.path / "app" / "of_trainings" / "default" / fab_hash)
    before = Path(desk.request.app, "an_app", "task.py").read_text()
    source.write("an_app/task.py", "model = 2\n")
    assert deploy(deployment, source)["fab_hash"] != fab_hash
    assert Path(desk.request.app, "an_app", "task.py").read_text() == before
    told = run_module("training", **{**asked, "deployed": fab_hash, "num_rounds": 9}, archive=archive)
    assert "was deployed anew since this training was checked" in told["msg"]


OURS, OTHER = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("code", "change", "finished", "said"),
    [
        (OURS, "new", True, ""),
        (
            OTHER,
            "new",
            False,
            "other code (aaaaaaaa, now bbbbbbbb), which makes it another training: it begins at round 1",
        ),
        (OTHER, "continue", True, ""),
    ],
)
def test_a_training_that_is_finished_with_other_code_is_another_one_unless_it_goes_on(
    home, systemd, archive, run_module, monkeypatch, desk, code, change, finished, said
) -> None:
    desk.folder.record(LedgerEntry(SLOW, "h", "f", 3, "t", code=OURS))
    home.answers(list="list_after")
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 3})
    warnings = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warnings.append(text))
    result = run_module("training", **ASKED, archive=archive, code=code, code_change=change)
    assert (result["finished"], result["submitted"]) == (finished, not finished)
    assert [said in line for line in warnings] == ([True] if said else [])
    if not finished:
        assert (desk.request.code, desk.request.code_change) == (code, change)


def test_more_rounds_with_other_code_are_told_as_that(home, systemd, archive, run_module, monkeypatch, desk) -> None:
    desk.folder.record(LedgerEntry(SLOW, "h", "f", 2, "t", code=OURS))
    home.answers(list="list_after")
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 2})
    warnings = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warnings.append(text))
    run_module("training", **ASKED, archive=archive, code=OTHER, code_change="continue")
    (said,) = warnings
    assert "the training goes on with it (fl_code_change is continue)" in said


@pytest.mark.parametrize("rounds", [3, 4])
def test_an_app_that_leaves_no_result_is_finished_by_what_its_supervisor_saw(
    home, systemd, started, run_module, desk, rounds
) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="completed", run_id=SLOW, ended=SLOW))
    systemd.unit = Unit(NAME, "loaded", "inactive", "dead")
    assert run_module("training", **{**ASKED, "num_rounds": rounds})["finished"] is (rounds == 3)


def test_force_trains_in_any_case(home, systemd, archive, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three")
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 3})
    assert run_module("training", **ASKED, archive=archive, force=True)["submitted"] is True
    assert desk.request.force is True


def test_another_configuration_that_is_alive_fails_the_task(home, systemd, archive, run_module) -> None:
    home.ledger((SLOW, "other", 3))
    home.answers(list="list_three")
    result = run_module("training", **ASKED, archive=archive)
    assert (result["failed"], systemd.orders) == (True, [])
    assert result["msg"].startswith(f"default: Run {SLOW} is running with another configuration (other, asked for: h).")


@pytest.mark.parametrize("check_mode", [True, False])
def test_nothing_is_trained_while_the_federation_is_quiesced(
    home, systemd, archive, run_module, desk, check_mode
) -> None:
    give_order(str(home.path / "trainings"), 10)
    result = run_module("training", check_mode=check_mode, **ASKED, archive=archive)
    assert result["msg"].startswith("default: The federation is quiesced since 2")
    assert "fedops.flower.resume" in result["msg"]
    assert (systemd.orders, home.calls, desk.request) == ([], [], None)


def test_a_finished_training_is_told_while_the_federation_is_quiesced(home, systemd, run_module) -> None:
    give_order(str(home.path / "trainings"), 10)
    home.ledger((SLOW, "h", 3))
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 3})
    assert run_module("training", **ASKED)["finished"] is True


def test_a_training_is_stopped_while_the_federation_is_quiesced(home, systemd, started, run_module, desk) -> None:
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="quiesced", run_id=SLOW, ended=SLOW))
    systemd.unit = Unit(NAME, "loaded", "inactive", "dead")
    give_order(str(home.path / "trainings"), 10)
    assert run_module("training", name="default", state="stopped")["changed"] is True
    assert (desk.is_stopped, desk.memory.state) == (True, "stopped")


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_training_is_stopped_with_its_run_and_stays_so(home, systemd, started, run_module, desk, check_mode) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three", stop="stop")
    desk.remember(Memory(request_id=started["request_id"], state="running", run_id=SLOW))
    result = run_module("training", check_mode=check_mode, name="default", state="stopped")
    assert (result["changed"], result["status"], result["stopped"]) == (True, "stopped", [SLOW])
    assert desk.is_stopped is not check_mode
    assert systemd.orders == ([] if check_mode else ["disable", "stop"])
    assert home.commands == (["list local"] if check_mode else ["list local", f"stop {SLOW} local"])
    assert desk.memory.state == ("running" if check_mode else "stopped")


def test_the_run_that_the_supervisor_has_stopped_on_its_way_out_is_told(
    home, systemd, started, run_module, desk
) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="running", run_id=SLOW))
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["stopped"], home.commands) == (True, [SLOW], ["list local"])


@pytest.mark.parametrize("processes", [[], [[4711, 1]], [[4711, 1], [4712, 1]]])
def test_a_training_is_stopped_while_the_superlink_is_away(
    home, systemd, started, run_module, desk, monkeypatch, processes
) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_unreachable")
    ended, warnings = [], []
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: warnings.append(text))
    monkeypatch.setattr(_supervising.ProcessTable, "kill", lambda table, process: ended.append(process.pid))
    memory = Memory(request_id=started["request_id"], state="running", run_id=SLOW, runs=1)
    desk.remember(replace(memory, processes=processes))
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["status"], result["stopped"]) == (True, "stopped", [])
    assert (desk.is_stopped, desk.memory.state) == (True, "stopped")
    process = len(processes) == 1  # of two, one may be another training's
    # A run that has no process yet would be trained: its unit waits for the SuperLink to stop it.
    waits = [] if process else ["reset-failed", "enable", "start"]
    assert (systemd.orders, desk.left) == (["disable", "stop", *waits], "" if process else SLOW)
    assert ended == ([4711] if process else [])
    said = f"The ServerApp of run {SLOW} is ended" if process else f"as soon as the SuperLink answers: {NAME} waits"
    assert said in result["details"]
    assert warnings == [f"default: {result['details']}"]
    # Whoever trains it again asks for that run first, and submits no second one beside it.
    assert desk.memory.ended == ""


def test_what_was_left_is_stopped_when_the_superlink_answers(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list=["list_unreachable", "list_unreachable", "list_three"], stop="stop")
    desk.remember(Memory(request_id=started["request_id"], state="waiting", run_id=SLOW, runs=1))
    systemd.unit = Unit(NAME, "loaded", "active", "running")
    results = [run_module("training", name="default", state="stopped") for dummy in range(3)]
    assert [(result["changed"], result["stopped"]) for result in results] == [(True, []), (False, []), (True, [SLOW])]
    assert [bool(result["details"]) for result in results] == [True, True, False]
    assert (desk.memory.ended, home.commands[-1]) == (SLOW, f"stop {SLOW} local")
    assert (desk.left, systemd.orders) == (
        "", ["disable", "stop", *["reset-failed", "enable", "start"] * 2, "disable", "stop"],
    )  # fmt: skip


def test_a_unit_of_an_older_release_does_not_wait_and_that_is_said(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_unreachable")
    desk.remember(Memory(request_id=started["request_id"], state="waiting", run_id=SLOW, runs=1))
    systemd.starts = False
    result = run_module("training", name="default", state="stopped")
    assert result["details"].endswith(
        "Stop the training again (playbook fedops.flower.stop) as soon as the SuperLink answers."
    )
    run_module("training", name="default", state="stopped")
    desk.ask(desk.request)
    assert desk.left == ""


def test_what_is_not_supervised_cannot_be_stopped_without_the_superlink(home, systemd, run_module, desk) -> None:
    systemd.unit = Unit(NAME, "not-found", "inactive", "dead")
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_unreachable")
    assert "Connection to the SuperLink" in run_module("training", name="default", state="stopped")["msg"]
    assert desk.is_stopped is False


def test_a_training_that_stands_still_is_not_stopped_again(home, systemd, started, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state="stopped", run_id=SLOW, ended=SLOW))
    desk.stop()
    systemd.unit = Unit(NAME, "loaded", "inactive", "dead")
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["status"]) == (False, "stopped")


@pytest.mark.parametrize("state", ["completed", "failed"])
def test_a_training_that_has_ended_is_not_marked_as_stopped(home, systemd, started, run_module, desk, state) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    desk.remember(Memory(request_id=started["request_id"], state=state, run_id=SLOW, ended=SLOW))
    systemd.unit = Unit(NAME, "loaded", "inactive", "dead")
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["status"], desk.is_stopped) == (False, state, False)


def test_the_run_of_a_training_without_a_supervisor_is_stopped_as_well(home, systemd, run_module, desk) -> None:
    systemd.unit = Unit(NAME, "not-found", "inactive", "dead")
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_three", stop="stop")
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["stopped"], systemd.orders, desk.is_stopped) == (True, [SLOW], [], False)


@pytest.mark.parametrize(
    "arguments", [{"name": "default"}, {**ASKED, "name": "../etc"}, {**ASKED, "num_rounds": "many"}]
)
def test_bad_input_is_refused_before_anything_is_done(home, systemd, run_module, arguments) -> None:
    assert run_module("training", **arguments)["failed"] is True
    assert (home.calls, systemd.orders) == ([], [])


def test_a_refusal_of_systemd_fails_the_task(home, systemd, archive, run_module, monkeypatch) -> None:
    def refuse(*arguments: str) -> str:
        raise _supervising.SystemdError("'systemctl start' failed: no.")

    monkeypatch.setattr(_supervising, "control", refuse)
    assert run_module("training", **ASKED, archive=archive)["msg"] == "'systemctl start' failed: no."


def test_the_request_holds_what_was_asked(home, systemd, started, desk) -> None:
    text = json.loads((home.path / "trainings" / "default" / "request.json").read_text())
    assert text["run_config"] == "num-rounds = 3\n"


def test_numbers_that_nothing_can_be_trained_with_are_refused_all_at_once_before_anything_is_done(
    home, systemd, archive, run_module
) -> None:
    wrong = {
        "attempts": 0, "session_interval": -1, "stall_timeout": float("nan"), "first_round_timeout": 0, "timeout": -5,
        "needed_nodes": 0, "num_rounds": 0,
    }  # fmt: skip
    result = run_module("training", **{**ASKED, **wrong}, archive=archive)
    assert result["failed"] is True
    lines = result["msg"].splitlines()
    assert [line.split()[0] for line in lines] == [
        "num_rounds", "needed_nodes", "attempts", "session_interval", "stall_timeout", "first_round_timeout", "timeout",
    ]  # fmt: skip
    assert lines[2] == (
        "attempts is 0 but must be a number, at least 1."
        " Give 1 to give the training up after the first run that finishes no round."
    )
    assert (systemd.orders, home.calls, (home.path / "trainings").exists()) == ([], [], False)
    least = {"attempts": 1, "session_interval": 0, "stall_timeout": 1, "timeout": 0, "needed_nodes": 1}
    assert run_module("training", **{**ASKED, **least}, archive=archive)["submitted"] is True


def test_a_continuous_training_is_never_finished(home, systemd, archive, run_module, desk) -> None:
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_after")
    home.training(result={"run_id": SLOW, "configuration_hash": "h", "rounds": 3})
    result = run_module("training", **ASKED, mode="continuous", session_interval=60, archive=archive)
    assert (result["submitted"], result["finished"]) == (True, False)
    assert (desk.request.continuous, desk.request.session_interval) == (True, 60)


@pytest.mark.parametrize(
    "content",
    ['{"run_id": "1", "run_config": "odd"}', "[" * 200_000, '{"run_id": "1", "process": "odd"}', None],
)
def test_a_training_with_malformed_claims_is_stopped(home, systemd, started, run_module, desk, content) -> None:
    home.ledger((SLOW, "h", 3))
    if content is None:
        os.mkfifo(home.published() / "effective.json")
    else:
        (home.published() / "effective.json").write_text(content)
    home.answers(list="list_three", stop="stop")
    result = run_module("training", name="default", state="stopped")
    assert (result["changed"], result["stopped"], desk.is_stopped) == (True, [SLOW], True)
    assert result["problems"][0].startswith("its effective.json cannot be read: ")


@pytest.mark.parametrize("away", [False, True])
def test_no_process_is_killed_because_a_claim_names_it(home, systemd, started, run_module, desk, away) -> None:
    """The ServerApp says that it is a process of somebody else's, down to the moment when that began."""
    home.ledger((SLOW, "h", 3))
    home.answers(list="list_unreachable" if away else "list_three", stop="stop")
    desk.remember(Memory(request_id=started["request_id"], state="running", run_id=SLOW, runs=1))
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "flwr-serverapp"]) as victim:
        with open(f"/proc/{victim.pid}/stat") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        home.training(effective={"run_id": SLOW, "process": {"pid": victim.pid, "ticks": ticks}})
        result = run_module("training", name="default", state="stopped")
        assert (result["changed"], victim.poll()) == (True, None)
        victim.kill()
