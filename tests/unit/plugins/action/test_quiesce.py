# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.action import quiesce as action_quiesce


def answer(changed: bool, *waiting: str, before: bool = True) -> dict:
    diff = {"before": {"quiesced": before}, "after": {"quiesced": True}}
    return {"changed": changed, "done": not waiting, "waiting_for": list(waiting), "diff": diff}


@pytest.fixture
def play(monkeypatch):
    """Run the action on answers of its module; return its result, the lines shown and the module's arguments."""

    def run(*answers, check_mode=False, **arguments):
        shown, calls, left = [], [], list(answers)

        def execute(module_name, module_args, task_vars):
            calls.append(dict(module_args))
            return dict(left.pop(0))

        monkeypatch.setattr(action_quiesce, "display", SimpleNamespace(display=shown.append))
        monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *args: {})
        action = object.__new__(action_quiesce.ActionModule)
        action._task = SimpleNamespace(args=arguments, check_mode=check_mode)
        action._execute_module = execute
        result = action.run(task_vars={})
        assert left == []
        return result, shown, calls

    return run


def test_it_asks_until_every_training_stands_still_and_says_for_whom(play) -> None:
    answers = answer(True, "one", "two", before=False), answer(True, "two"), answer(False)
    result, shown, calls = play(*answers, timeout=60)
    assert shown == ["still finishing a round: one, two", "still finishing a round: two"]
    assert (result["done"], result["changed"], result["diff"]["before"]) == (True, True, {"quiesced": False})
    assert calls == [{"timeout": 60, "wait_seconds": 30}] * 3


def test_nothing_to_wait_for_is_one_question(play) -> None:
    result, shown, calls = play(answer(False))
    assert (result["changed"], shown, len(calls)) == (False, [], 1)


def test_check_mode_does_not_wait(play) -> None:
    assert len(play(answer(True, "one"), check_mode=True)[2]) == 1


def test_a_failure_ends_it(play) -> None:
    result, _shown, calls = play(answer(True, "one"), {"failed": True, "msg": "no", "changed": False})
    assert (result["failed"], result["msg"], result["changed"], len(calls)) == (True, "no", True, 2)
