# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless
from ansible_collections.fedops.flower.plugins.module_utils._training.progress import (
    ENDED_RUN,
    Follower,
    end_problem,
    resumption,
    still_needed,
)
from ansible_collections.fedops.flower.plugins.plugin_utils._following import (
    LOG_LINES,
    OUT_OF_REACH,
    FollowingAction,
    merged,
    patience,
)

display = Display()

PATIENCE = 300  # seconds that the SuperLink may be away; a run outlives its restart


class ActionModule(FollowingAction):
    """Submit a run through the module, then follow it and show each finished round as it comes."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        arguments = dict(self._task.args)
        deadline = self.deadline(arguments)
        try:
            result = self._execute_module(module_name="fedops.flower.run", module_args=arguments, task_vars=task_vars)
        except AnsibleConnectionFailure as error:
            return self.lost_at_the_start(error)
        if not self._is_to_be_followed(result, arguments):
            return result

        result = self._follow(result, deadline)
        if still_needed(result, arguments.get("num_rounds")):
            # The run that was adopted was asked for fewer rounds than we are: have the rest trained.
            again = {**arguments, "force": False}
            result = self._execute_module(module_name="fedops.flower.run", module_args=again, task_vars=task_vars)
            if self._is_to_be_followed(result, arguments):
                result = self._follow(result, deadline)
        return result

    def _is_to_be_followed(self, result: dict[str, Any], arguments: dict[str, Any]) -> bool:
        going_on = not result.get("failed") and bool(result.get("alive"))
        return self.waits(arguments) and not self._task.check_mode and going_on

    def _follow(self, submitted: dict[str, Any], deadline: float | None) -> dict[str, Any]:
        """Show the progress of a run until it has ended; return its end on top of what the submission returned."""
        name, run_id = submitted["name"], submitted["run_id"]
        verb = "submitted" if submitted["submitted"] else "already under way, following it"
        display.display(harmless(f"{name}: run {run_id} {verb}"))
        follower = Follower(name, run_id)
        unreachable_since: float | None = None
        seen = submitted
        while True:
            look = self.module_answer(
                self._task_vars,
                deadline,
                name=name,
                run_id=run_id,
                wait_for_round=follower.next_round,
                wait_seconds=patience(deadline),
            )
            if look.get("failed"):
                return {**seen, "failed": True, "msg": look["msg"], "status": OUT_OF_REACH, "finished": False}
            seen = merged(submitted, look, finished=False)
            for line in follower.lines(look):
                display.display(harmless(line))
            now = time.monotonic()
            if look["status"] in ENDED_RUN:
                return self._end(submitted, look)
            unreachable_since = (unreachable_since or now) if look["status"] == "unreachable" else None
            if unreachable_since and now - unreachable_since > PATIENCE:
                message = f"{name}: the SuperLink has not answered for {PATIENCE} s. {look['details']}"
                return self._failure(submitted, look, f"{message} Run {run_id} may still be alive.")
            if deadline is not None and now >= deadline:
                message = f"{name}: the timeout is over while run {run_id} is {look['status']}{follower.where}."
                return self._failure(submitted, look, f"{message} It goes on; the same task follows it again.")

    def _run_info(self, **arguments: Any) -> dict[str, Any]:
        return self.run_info(self._task_vars, **arguments)

    def _end(self, submitted: dict[str, Any], look: dict[str, Any]) -> dict[str, Any]:
        problem = end_problem(look)
        if problem is None:
            display.display(harmless(f"{look['name']}: run {look['run_id']} completed"))
            return merged(submitted, look, finished=True)
        tail = self._run_info(name=look["name"], run_id=look["run_id"], log_lines=LOG_LINES).get("log_tail") or []
        pointer = ["The end of its log is in log_tail."] if tail and look["status"] != "stopped" else []
        text = "\n".join([problem, *pointer, *resumption(look)])
        return self._failure(submitted, {**look, "log_tail": tail}, text)

    def _failure(self, submitted: dict[str, Any], look: dict[str, Any], message: str) -> dict[str, Any]:
        return {**merged(submitted, look, finished=False), "failed": True, "msg": message}
