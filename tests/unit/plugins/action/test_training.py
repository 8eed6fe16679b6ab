# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.fedops.flower.plugins.action import training as action_training
from ansible_collections.fedops.flower.plugins.plugin_utils._program import SUPERVISOR

ASKED = {"name": "default", "app": "/app", "num_rounds": 2}
STARTED = {
    "name": "default",
    "run_id": None,
    "status": "submitted",
    "alive": True,
    "submitted": True,
    "changed": True,
    "stopped": [],
    "num_rounds": 2,
    "finished": False,
}
FOLLOWED = {**STARTED, "submitted": False, "changed": False, "run_id": "1"}
LOST = {"run_id": "1", "detail": "It is gone."}


def look(state="running", rounds=0, run_id="1", lost=(), **values):
    history = [{"round": n, "num_rounds": 2, "run_id": run_id} for n in range(1, rounds + 1)]
    supervision = {
        "state": state,
        "detail": values.pop("detail", ""),
        "run_id": run_id,
        "restarts": len(lost),
        "restart_reasons": list(lost),
        "signature": f"{state} {run_id} {len(lost)}",
        "unit": "u",
    }
    return {"name": "default", "run_id": run_id, "status": "lost", "alive": False, "history": history,
            "num_rounds": None, "changed": False, "supervision": supervision, **values}  # fmt: skip


@pytest.fixture
def play(monkeypatch):
    """Run the action on answers of its modules; return its result, the lines shown and the modules' arguments."""

    def run(*answers, check_mode=False, **arguments):
        shown, calls, left = [], [], list(answers)

        def execute(module_args, task_vars, module_name="fedops.flower.training"):
            calls.append((module_name.rpartition(".")[2], dict(module_args)))
            answer = left.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        monkeypatch.setattr(action_training, "display", SimpleNamespace(display=shown.append))
        action = object.__new__(action_training.ActionModule)
        action._task = SimpleNamespace(args={**ASKED, **arguments}, check_mode=check_mode, async_val=0, diff=False)
        action._execute_module = execute
        action._send = lambda files: f"sent {sorted(files)}"
        monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
        result = action.run(task_vars={})
        assert left == []
        return result, shown, calls

    return run


def test_a_training_is_shown_round_by_round_to_its_end(play) -> None:
    looks = look("starting", run_id=None), look(), look(rounds=1), look("completed", 2)
    result, shown, calls = play(STARTED, *looks)
    assert shown == [
        "default: started",
        "default: run 1 is under way",
        "default: round 1/2",
        "default: round 2/2",
        "default: completed",
    ]
    asked = [(args["wait_for_round"], args["wait_for_change"]) for name, args in calls if name == "run_info"]
    assert asked == [(1, ""), (1, "starting None 0"), (1, "running 1 0"), (2, "running 1 0")]
    keys = ("finished", "changed", "submitted", "status", "run_id", "num_rounds", "alive")
    assert [result[key] for key in keys] == [True, True, True, "completed", "1", 2, False]


def test_the_newest_run_on_the_host_is_not_told_as_that_of_an_order_that_has_none_yet(play) -> None:
    waits = look("waiting", run_id=None, detail="1 of 2 are online.")
    result, _shown, _calls = play(STARTED, {**waits, "run_id": "1"}, wait=False)
    assert (result["run_id"], result["status"]) == (None, "waiting")


def test_a_lost_run_is_told_and_the_next_one_followed(play) -> None:
    looks = look(), look("restarting", lost=[LOST]), look(run_id="2", lost=[LOST]), look("completed", 2, "2", [LOST])
    result, shown, _calls = play(FOLLOWED, *looks)
    assert shown == [
        "default: already under way, following it",
        "default: run 1 is under way",
        "default: run 1 is lost. It is gone.",
        "default: run 2 is under way",
        "default: round 1/2",
        "default: round 2/2",
        "default: completed",
    ]
    assert (result["run_id"], result["changed"], result["supervision"]["restarts"]) == ("2", False, 1)


def test_the_program_is_sent_when_the_host_asks_for_it(play) -> None:
    _result, _shown, calls = play({"needs_archive": True}, STARTED, look(), wait=False)
    first, second, _info = [arguments for _name, arguments in calls]
    assert first["program"] == hashlib.sha256(SUPERVISOR.build()).hexdigest()
    assert second == {**first, "archive": "sent ['fedops-supervisor.pyz']"}


@pytest.mark.parametrize(
    ("first", "options"),
    [
        (STARTED, {"check_mode": True}),
        ({**FOLLOWED, "alive": False, "finished": True, "status": "completed"}, {}),
        ({**FOLLOWED, "alive": False, "stopped": ["1"], "changed": True}, {"state": "stopped"}),
        ({"failed": True, "msg": "no"}, {}),
    ],
)
def test_what_needs_no_following_is_returned_as_it_is(play, first, options) -> None:
    result, shown, calls = play(first, **options)
    assert (result, shown, len(calls)) == (first, [], 1)


@pytest.mark.parametrize("options", [{"wait": False}, {"wait": "no"}, {"mode": "continuous"}])
def test_without_waiting_the_task_ends_as_soon_as_a_run_is_under_way(play, options) -> None:
    result, _shown, _calls = play(STARTED, look("starting", run_id=None), look(), **options)
    assert (result.get("failed"), result["finished"], result["alive"], result["run_id"]) == (None, False, True, "1")


def test_without_waiting_a_refusal_is_told_all_the_same(play) -> None:
    result, _shown, _calls = play(STARTED, look("refused", run_id=None, detail="No such key."), wait=False)
    assert (result["failed"], result["status"], result["msg"]) == (True, "refused", "default: refused. No such key.")


@pytest.mark.parametrize("state", ["failed", "halted"])
def test_a_training_that_failed_fails_the_task_with_the_tail_of_its_log(play, state) -> None:
    tail = look(log_tail=["Traceback", "RuntimeError: no data"])
    result, _shown, calls = play(STARTED, look(rounds=1), look(state, 1, detail="no data"), tail, home="/home")
    assert calls[-1] == ("run_info", {"home": "/home", "name": "default", "run_id": "1", "log_lines": 40})
    assert (result["failed"], result["status"], result["details"]) == (True, state, "no data")
    assert result["log_tail"] == ["Traceback", "RuntimeError: no data"]


def test_an_operators_stop_fails_the_task_and_says_how_to_go_on(play) -> None:
    result, _shown, _calls = play(FOLLOWED, look(rounds=1), look("stopped", 1, detail="An operator has stopped it."))
    assert (result["failed"], result["status"], result["alive"]) == (True, "stopped", False)
    assert result["msg"] == (
        "default: stopped after round 1/2. An operator has stopped it."
        " Train again (playbook fedops.flower.train) to go on from there."
    )


def test_a_timeout_leaves_the_training_alone_and_says_so(play) -> None:
    result, _shown, calls = play(STARTED, look(rounds=1), timeout="0.000001")
    assert (result["failed"], result["alive"], calls[1][1]["wait_seconds"]) == (True, True, 0.1)
    assert result["msg"] == (
        "default: the timeout is over while the training is running after round 1/2."
        " It goes on; the same task follows it again."
    )


def test_a_timeout_that_is_no_number_is_refused_before_anything_is_done(play) -> None:
    with pytest.raises(AnsibleActionFail, match="^timeout is 'soon' but must be a number of seconds"):
        play(timeout="soon")


def test_a_host_that_is_gone_leaves_what_was_seen_last_and_no_claim_of_how_it_stands(play) -> None:
    gone = {"failed": True, "msg": "its host cannot be reached"}
    result, _shown, _calls = play(STARTED, look(rounds=1), gone)
    assert (result["failed"], result["status"], result["msg"]) == (True, "unknown", "its host cannot be reached")
    assert (result["run_id"], len(result["history"]), result["changed"], result["finished"]) == ("1", 1, True, False)


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
