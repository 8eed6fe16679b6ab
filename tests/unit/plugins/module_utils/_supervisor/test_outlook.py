# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import outlook
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import AGAIN, ENDINGS
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outlook import (
    TrainingFollower,
    picture,
    training_problem,
)
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request

REQUEST = Request("default", "/app", configuration_hash="h", num_rounds=5, request_id="1")
AT_WORK = Unit("flower-training@default.service", "loaded", "active", "running", "success")
DEAD = Unit("flower-training@default.service", "loaded", "failed", "failed", "start-limit-hit")


def event(number: int, run_id: str = "7", **values: object) -> dict:
    return {"round": number, "num_rounds": 5, "run_id": run_id, "configuration_hash": "h", "seconds": 4.0, **values}


def test_a_training_at_work_is_one_picture() -> None:
    memory = Memory(
        request_id="1", state="running", since="then", run_id="7", runs=2, restart_count=1, restarts=[{"time": "t"}]
    )
    history = [
        event(1, checkpoint="checkpoint_round_1.npz", time="2026-11-25T10:00:00Z", failed=[{"site": "old"}]),
        event(2, failed=[{"site": "b"}, {"site": "a"}]),
        event(3, rejected=[{"site": "a"}]),
        event(4, failed=[]),
    ]
    assert picture(REQUEST, memory, AT_WORK, history, at="2026-11-25T10:00:30Z") == {
        "state": "running",
        "reason": "",
        "detail": "",
        "since": "then",
        "waiting_for": [],
        "stopped": False,
        "mode": "once",
        "reports": True,
        "session": 0,
        "request_id": "1",
        "run_id": "7",
        "unit": "flower-training@default.service",
        "signature": "1 running  7 1",
        "restarts": 1,
        "restart_reasons": [{"time": "t"}],
        "round": 4,
        "num_rounds": 5,
        "seconds_per_round": 4.0,
        "eta_seconds": 4.0,
        "checkpoint": {"file": "checkpoint_round_1.npz", "round": 1, "age": 30.0},
        "checkpoint_directory": None,
        "purpose": "training",
        "failed_nodes": ["a", "b"],
    }


def test_it_is_told_where_the_checkpoints_of_a_training_lie() -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/srv/kept"\ntraining-name = "other"\n'
    found = picture(replace(REQUEST, run_config=config), Memory(request_id="1"), AT_WORK, [])
    assert found["checkpoint_directory"] == "/srv/kept/other"


def test_the_run_of_an_older_request_is_not_told_as_one_of_this() -> None:
    memory = Memory(request_id="1", state="starting", run_id="7", ended="7")
    assert picture(REQUEST, memory, AT_WORK, [event(2)])["run_id"] is None


def test_the_run_that_had_completed_a_training_before_it_was_asked_for_is_told() -> None:
    memory = Memory(request_id="1", state="completed", run_id="7")
    assert picture(REQUEST, memory, AT_WORK, [event(3)])["run_id"] == "7"


def test_a_continuous_training_counts_its_sessions_and_the_rounds_to_the_end_of_this_one() -> None:
    request = replace(REQUEST, mode="continuous")
    memory = Memory(request_id="1", state="running", sessions=2, target=15)
    found = picture(request, memory, AT_WORK, [event(11)])
    assert [found[key] for key in ("mode", "session", "round", "num_rounds")] == ["continuous", 3, 11, 15]
    found = picture(request, replace(memory, state="idle", target=0), AT_WORK, [event(10)])
    assert [found[key] for key in ("session", "num_rounds")] == [2, 5]


@pytest.mark.parametrize(("detail", "told"), [("", ""), ("It waits.", "It waits. ")])
def test_a_supervisor_that_systemd_says_nothing_of_is_not_taken_for_dead(detail, told) -> None:
    memory = Memory(request_id="1", state="waiting", detail=detail, run_id="7", runs=1)
    found = picture(REQUEST, memory, Unit("flower-training@default.service"), [])
    expected = f"{told}systemd does not say how flower-training@default.service is."
    assert (found["state"], found["detail"]) == ("waiting", expected)


@pytest.mark.parametrize(
    ("state", "unit", "shown"),
    [
        ("running", AT_WORK, "running"),
        ("running", DEAD, "halted"),
        ("restarting", DEAD, "halted"),
        ("completed", DEAD, "completed"),
        ("failed", DEAD, "failed"),
    ],
)
def test_a_training_that_nobody_sees_to_is_halted(state, unit, shown) -> None:
    found = picture(REQUEST, Memory(request_id="1", state=state, detail="so"), unit, [event(4)])
    assert (found["state"], found["eta_seconds"]) == (shown, 4.0 if unit is AT_WORK else None)
    expected = "flower-training@default.service is failed (start-limit-hit). so" if shown == "halted" else "so"
    assert found["detail"] == expected


@pytest.mark.parametrize(
    ("unit", "shown"), [(AT_WORK, ("running", "so")), (DEAD, ("stopped", "An operator has stopped it."))]
)
def test_a_supervisor_that_was_ended_by_an_operator_is_not_missed(unit, shown) -> None:
    found = picture(REQUEST, Memory(request_id="1", state="running", detail="so"), unit, [], is_stopped=True)
    assert (found["state"], found["detail"]) == shown


def test_what_was_remembered_of_an_older_request_is_not_told_of_a_newer_one() -> None:
    memory = Memory(request_id="0", state="completed", run_id="7", restart_count=3)
    found = picture(REQUEST, memory, AT_WORK, [event(1, configuration_hash="other")])
    assert (found["state"], found["run_id"], found["restarts"], found["round"]) == ("starting", None, 0, 0)


def look(
    state: str = "running", run_id: str | None = "1", history: tuple = (), lost: tuple = (), detail: str = ""
) -> dict:
    restarts = [{"run_id": number, "detail": "It is gone."} for number in lost]
    supervision = {"state": state, "detail": detail, "run_id": run_id, "unit": "u"}
    supervision.update(restarts=len(lost), restart_reasons=restarts)
    return {"name": "default", "run_id": run_id, "status": "lost", "history": list(history), "supervision": supervision}


def test_a_training_is_told_through_the_runs_it_takes() -> None:
    follower = TrainingFollower("default")
    first, second = event(1, "1"), event(2, "2")
    told = [
        follower.lines(seen)
        for seen in (
            look("starting", None),
            look(),
            look(history=[first]),
            look("restarting", lost=("1",), history=[first]),
            look("waiting", run_id="1", lost=("1",), detail="Nobody is there."),
            look("waiting", run_id="1", lost=("1",), detail="Nobody is there."),
            look(run_id="2", lost=("1",), history=[first]),
            look(run_id="2", lost=("1",), history=[first, second]),
        )
    ]
    assert told == [
        [],
        ["default: run 1 is under way"],
        ["default: round 1/5  4.0 s"],
        ["default: run 1 is lost. It is gone."],
        ["default: Nobody is there."],
        [],
        ["default: run 2 is under way", "default: it goes on"],
        ["default: round 2/5  4.0 s"],
    ]
    assert (follower.next_round, follower.where) == (3, " after round 2/5")


def test_what_was_lost_before_anybody_looked_is_no_news() -> None:
    follower = TrainingFollower("default")
    assert follower.lines(look(run_id="3", lost=("1", "2"))) == ["default: run 3 is under way"]
    assert follower.lines(look(run_id="3", lost=("1", "2", "3"))) == ["default: run 3 is lost. It is gone."]


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ("completed", None),
        ("failed", "default: run 1 failed after round 2/5: so it is"),
        ("stopped", "default: stopped after round 2/5. so it is Train again (playbook fedops.flower.train) to go on"
            " from there."),
        ("given_up", "default: given up after round 2/5. so it is"),
        ("refused", "default: refused after round 2/5. so it is"),
        ("halted", "default: nobody supervises it any more after round 2/5. so it is 'journalctl -u u' on that host"
            " tells why."),
    ],
)  # fmt: skip
def test_an_end_that_is_not_good_says_what_to_do(state, problem) -> None:
    assert training_problem(look(state, detail="so it is"), " after round 2/5") == problem


def test_every_word_for_how_a_training_stands_is_documented_for_workflows() -> None:
    page = (Path(__file__).resolve().parents[5] / "docs" / "awx.md").read_text("utf-8")
    table = page.partition("| Ending | Exit status |")[2].partition("\n\n")[0]
    words = {*outlook.AT_WORK, outlook.HALTED, *ENDINGS} - {AGAIN}
    assert [word for word in sorted(words) if f"`{word}`" not in table] == []
