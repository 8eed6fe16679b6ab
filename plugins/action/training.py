# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.endings import AT_WORK
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.outlook import (
    HALTED,
    TrainingFollower,
    training_problem,
)
from ansible_collections.fedops.flower.plugins.plugin_utils._following import (
    LOG_LINES,
    OUT_OF_REACH,
    FollowingAction,
    merged,
    patience,
)
from ansible_collections.fedops.flower.plugins.plugin_utils._program import SUPERVISOR
from ansible_collections.fedops.flower.plugins.plugin_utils._sending import SendingAction

display = Display()


class ActionModule(SendingAction, FollowingAction):
    """Have a training supervised through the module, then show each finished round as it comes."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        deadline = self.deadline(arguments)
        try:
            result = self.execute_with_program(SUPERVISOR, arguments, task_vars)
        except AnsibleConnectionFailure as error:
            return self.lost_at_the_start(error)
        if self._task.check_mode or result.get("failed") or not result.get("alive"):
            return result
        # A continuous training has no end to be waited for.
        wait = self.waits(arguments) and arguments.get("mode") != "continuous"
        return self._follow(result, deadline, wait, task_vars)

    def _follow(
        self, started: dict[str, Any], deadline: float | None, wait: bool, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Show the progress of a training until it has ended, or until it is under way when that is enough."""
        name = started["name"]
        display.display(f"{name}: {'started' if started['submitted'] else 'already under way, following it'}")
        follower, signature, seen = TrainingFollower(name), "", started
        while True:
            look = self.module_answer(
                task_vars,
                deadline,
                name=name,
                wait_for_round=follower.next_round,
                wait_for_change=signature,
                wait_seconds=patience(deadline),
            )
            if look.get("failed"):
                # What was seen last stays true of the rounds, but not of how it stands.
                return {**seen, "failed": True, "msg": look["msg"], "status": OUT_OF_REACH, "finished": False}
            supervision, seen = look["supervision"], self._result(started, look, finished=False)
            for line in follower.lines(look):
                display.display(harmless(line))
            state, signature = supervision["state"], supervision["signature"]
            if state not in AT_WORK:
                return self._end(started, look, follower.where, task_vars)
            if not wait and state != "starting":
                return self._result(started, look, finished=False)
            if deadline is not None and time.monotonic() >= deadline:
                message = f"{name}: the timeout is over while the training is {state}{follower.where}."
                return self._failure(started, look, f"{message} It goes on; the same task follows it again.")

    def _end(
        self, started: dict[str, Any], look: dict[str, Any], where: str, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        problem = training_problem(look, where)
        if problem is None:
            display.display(f"{look['name']}: completed")
            return self._result(started, look, finished=True)
        state, run_id = look["supervision"]["state"], look["supervision"]["run_id"]
        if state in ("failed", HALTED) and run_id:
            info = self.run_info(task_vars, name=look["name"], run_id=run_id, log_lines=LOG_LINES)
            look = {**look, "log_tail": info.get("log_tail") or []}
        return self._failure(started, look, problem)

    def _failure(self, started: dict[str, Any], look: dict[str, Any], message: str) -> dict[str, Any]:
        return {**self._result(started, look, finished=False), "failed": True, "msg": message}

    def _result(self, started: dict[str, Any], look: dict[str, Any], finished: bool) -> dict[str, Any]:
        """What the start says of the change stays, and how the training stands now is told."""
        supervision = look["supervision"]
        return {
            **merged(started, look, finished),
            "run_id": supervision["run_id"],  # the newest run on the host may be one of an order before
            "status": supervision["state"],
            "details": supervision["detail"],
            "alive": supervision["state"] in AT_WORK,
        }
