# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a training whose host cannot be reached for a while."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.fedops.flower.plugins.plugin_utils import _following

LOOK = {"name": "default", "status": "running"}
CUT_OFF = {"failed": True, "module_stdout": "", "msg": "MODULE FAILURE"}
REFUSED = {"failed": True, "msg": "name is wrong"}
AWAY = AnsibleConnectionFailure("No route to host")


@pytest.fixture
def look(monkeypatch):
    """Look once, with these answers of the host; return the answer, the lines shown and the seconds that passed."""

    def run(*answers, deadline=None):
        shown, clock, left = [], [0.0], list(answers)

        def execute(**arguments):
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        monkeypatch.setattr(_following, "display", SimpleNamespace(display=shown.append))
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
        action = object.__new__(type("Action", (_following.FollowingAction,), {"run": None}))
        action._task = SimpleNamespace(args={})
        action._execute_module = execute
        return action.module_answer({}, deadline, name="default"), shown, clock[0]

    return run


@pytest.mark.parametrize("answer", [LOOK, REFUSED])
def test_an_answer_is_returned_as_it_is(look, answer) -> None:
    assert look(answer) == (answer, [], 0)


@pytest.mark.parametrize("first", [AWAY, CUT_OFF])
def test_a_host_that_is_away_is_waited_for_and_said_once(look, first) -> None:
    answer, shown, seconds = look(first, AWAY, AWAY, LOOK)
    assert (answer, seconds) == (LOOK, 3 * _following.RETRY)
    assert shown == [
        "default: its host cannot be reached; the training does not need us, waiting",
        "default: its host is there again",
    ]


@pytest.mark.parametrize(("deadline", "after"), [(None, _following.HOST_PATIENCE + _following.RETRY), (12, 15)])
def test_patience_has_an_end_and_a_deadline(look, deadline, after) -> None:
    answer, _shown, seconds = look(AWAY, deadline=deadline)
    assert seconds == after
    assert answer == {
        "failed": True,
        "msg": f"default: its host cannot be reached for {after} s: No route to host"
        " The training goes on as soon as its host does; the same task follows it again.",
    }
