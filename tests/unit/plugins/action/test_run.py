# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.fedops.flower.plugins.action import run as action_run

ASKED = {"name": "default", "app": "/app", "num_rounds": 2}
SUBMITTED = {
    "name": "default",
    "run_id": "1",
    "status": "pending",
    "alive": True,
    "submitted": True,
    "changed": True,
    "stopped": [],
    "num_rounds": 2,
    "finished": False,
}
ADOPTED = {**SUBMITTED, "submitted": False, "changed": False}


def look(status, rounds=0, **values):
    history = [{"round": n, "num_rounds": 2, "run_id": "1"} for n in range(1, rounds + 1)]
    return {"name": "default", "run_id": "1", "status": status, "alive": status == "running", "history": history,
            "num_rounds": None, "changed": False, **values}  # fmt: skip


@pytest.fixture
def play(monkeypatch):
    """Run the action on answers of its modules; return its result, the lines shown and the modules' arguments."""

    def run(*answers, check_mode=False, **arguments):
        shown, calls, left = [], [], list(answers)

        def execute(module_name, module_args, task_vars):
            calls.append((module_name.rpartition(".")[2], dict(module_args)))
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        monkeypatch.setattr(action_run, "display", SimpleNamespace(display=shown.append))
        action = object.__new__(action_run.ActionModule)
        action._task = SimpleNamespace(args={**ASKED, **arguments}, check_mode=check_mode, async_val=0, diff=False)
        action._execute_module = execute
        monkeypatch.setattr(action_run.FollowingAction, "run", lambda *args: {})
        result = action.run(task_vars={})
        assert left == []
        return result, shown, calls

    return run


def test_a_run_is_shown_round_by_round_to_its_end(play) -> None:
    result, shown, calls = play(SUBMITTED, look("running", 1), look("running", 2), look("completed", 2))
    assert shown == [
        "default: run 1 submitted",
        "default: round 1/2",
        "default: round 2/2",
        "default: run 1 completed",
    ]
    assert [args.get("wait_for_round") for name, args in calls if name == "run_info"] == [1, 2, 3]
    assert result == {**SUBMITTED, **look("completed", 2), "changed": True, "num_rounds": 2, "finished": True}


@pytest.mark.parametrize(
    ("first", "options"),
    [
        (SUBMITTED, {"wait": False}),
        (SUBMITTED, {"wait": "no"}),
        (SUBMITTED, {"check_mode": True}),
        ({**ADOPTED, "alive": False, "finished": True, "status": "completed"}, {}),
        ({**ADOPTED, "alive": False, "stopped": ["1"], "changed": True}, {"state": "stopped"}),
        ({"failed": True, "msg": "no"}, {}),
    ],
)
def test_what_needs_no_following_is_returned_as_it_is(play, first, options) -> None:
    result, shown, calls = play(first, **options)
    assert (result, shown, len(calls)) == (first, [], 1)


def test_a_failed_run_fails_the_task_with_the_tail_of_its_log(play) -> None:
    tail = look("failed", log_tail=["Traceback", "RuntimeError: no data"])
    result, _shown, calls = play(SUBMITTED, look("failed", 1, details="no data"), tail, home="/home")
    assert calls[-1] == ("run_info", {"home": "/home", "name": "default", "run_id": "1", "log_lines": 40})
    assert {key: result[key] for key in ("failed", "changed", "finished", "status", "log_tail")} == {
        "failed": True,
        "changed": True,
        "finished": False,
        "status": "failed",
        "log_tail": ["Traceback", "RuntimeError: no data"],
    }
    assert result["msg"].splitlines() == [
        "default: run 1 failed after round 1/2: no data",
        "The end of its log is in log_tail.",
    ]


def test_a_stopped_run_fails_the_task_and_says_how_to_resume_it(play) -> None:
    result, _shown, _calls = play(ADOPTED, look("stopped", 1), look("stopped", log_tail=["a line"]))
    assert (result["failed"], result["changed"]) == (True, False)
    assert result["msg"].splitlines() == [
        "default: run 1 was stopped after round 1/2.",
        "Train again (playbook fedops.flower.train) to resume it from its latest checkpoint, if it has one.",
    ]


def test_a_timeout_leaves_the_run_alive_and_says_so(play) -> None:
    result, _shown, calls = play(SUBMITTED, look("running", 1), timeout="0.000001")
    assert (result["failed"], result["alive"]) == (True, True)
    assert result["msg"] == (
        "default: the timeout is over while run 1 is running after round 1/2."
        " It goes on; the same task follows it again."
    )
    assert calls[1][1]["wait_seconds"] == 0.1


def test_a_superlink_that_restarts_is_waited_for(play) -> None:
    result, shown, _calls = play(SUBMITTED, look("unreachable"), look("running"), look("completed", 2))
    assert result["finished"] is True
    assert "default: the SuperLink answers again" in shown


def test_a_superlink_that_stays_away_fails_the_task(play, monkeypatch) -> None:
    monkeypatch.setattr(action_run, "PATIENCE", 0)
    away = look("unreachable", details="Flower says: no.")
    result, _shown, _calls = play(SUBMITTED, away, away)
    assert result["msg"] == (
        "default: the SuperLink has not answered for 0 s. Flower says: no. Run 1 may still be alive."
    )


def test_the_rounds_that_an_adopted_run_leaves_are_trained_after_it(play) -> None:
    short = look("completed", 1, result={"rounds": 1, "run_id": "1"})
    whole = look("completed", 2, result={"rounds": 2, "run_id": "1"})
    result, _shown, calls = play(ADOPTED, short, SUBMITTED, whole, force=True)
    assert [name for name, _args in calls] == ["run", "run_info", "run", "run_info"]
    assert calls[2][1]["force"] is False
    assert (result["finished"], result["changed"], result["result"]["rounds"]) == (True, True, 2)


@pytest.mark.parametrize("timeout", ["soon", [1]])
def test_a_timeout_that_is_no_number_is_refused_before_anything_is_done(play, timeout) -> None:
    with pytest.raises(AnsibleActionFail, match="^timeout is .* but must be a number of seconds"):
        play(timeout=timeout)


def test_a_host_that_is_lost_at_the_start_leaves_no_claim_of_what_was_begun(play) -> None:
    result, _shown, _calls = play(AnsibleConnectionFailure("No route to host"))
    assert result == {
        "failed": True,
        "name": "default",
        "status": "unknown",
        "finished": False,
        "msg": "default: its host was lost while the training was being started. No route to host"
        " Train again to see how it stands; nothing is trained twice.",
    }


def test_a_host_that_is_lost_in_check_mode_is_unreachable(play) -> None:
    with pytest.raises(AnsibleConnectionFailure):
        play(AnsibleConnectionFailure("No route to host"), check_mode=True)
