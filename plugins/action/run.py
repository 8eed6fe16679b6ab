# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._progress import (
    ENDED,
    Follower,
    end_problem,
    resumption,
    still_needed,
)

display = Display()

POLL = 30  # seconds that one look waits on the host
LOG_LINES = 40
PATIENCE = 300  # seconds that the SuperLink may be away; a run outlives its restart


class ActionModule(ActionBase):
    """Submit a run through the module, then follow it and show each finished round as it comes."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        self._task_vars = task_vars
        arguments = dict(self._task.args)
        deadline = self._deadline(arguments)
        result = self._execute_module(module_name="fedops.flower.run", module_args=arguments, task_vars=task_vars)
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

    def _deadline(self, arguments: dict[str, Any]) -> float | None:
        value = arguments.get("timeout") or 0
        try:
            seconds = float(value)
        except (TypeError, ValueError) as error:
            raise AnsibleActionFail(
                f"timeout is {value!r} but must be a number of seconds. Give 0 for no limit."
            ) from error
        return time.monotonic() + seconds if seconds > 0 else None

    def _is_to_be_followed(self, result: dict[str, Any], arguments: dict[str, Any]) -> bool:
        wait = boolean(arguments.get("wait", True), strict=False)
        return wait and not self._task.check_mode and not result.get("failed") and bool(result.get("alive"))

    def _follow(self, submitted: dict[str, Any], deadline: float | None) -> dict[str, Any]:
        """Show the progress of a run until it has ended; return its end on top of what the submission returned."""
        name, run_id = submitted["name"], submitted["run_id"]
        verb = "submitted" if submitted["submitted"] else "already under way, following it"
        display.display(f"{name}: run {run_id} {verb}")
        follower = Follower(name, run_id)
        unreachable_since: float | None = None
        while True:
            look = self._look(name, run_id, follower.next_round, deadline)
            if look.get("failed"):
                return {**submitted, **look, "changed": submitted["changed"]}
            for line in follower.lines(look):
                display.display(line)
            now = time.monotonic()
            if look["status"] in ENDED:
                return self._end(submitted, look)
            unreachable_since = (unreachable_since or now) if look["status"] == "unreachable" else None
            if unreachable_since and now - unreachable_since > PATIENCE:
                message = f"{name}: the SuperLink has not answered for {PATIENCE} s. {look['details']}"
                return self._failure(submitted, look, f"{message} Run {run_id} may still be alive.")
            if deadline is not None and now >= deadline:
                message = f"{name}: the timeout is over while run {run_id} is {look['status']}{follower.where}."
                return self._failure(submitted, look, f"{message} It goes on; the same task follows it again.")

    def _look(self, name: str, run_id: str, next_round: int, deadline: float | None) -> dict[str, Any]:
        """Wait on the host for news, so that one connection serves for many looks."""
        seconds = POLL if deadline is None else min(POLL, max(0.1, deadline - time.monotonic()))
        return self._run_info(name=name, run_id=run_id, wait_for_round=next_round, wait_seconds=seconds)

    def _run_info(self, **arguments: Any) -> dict[str, Any]:
        common = {key: self._task.args[key] for key in ("home", "superlink") if key in self._task.args}
        return self._execute_module(
            module_name="fedops.flower.run_info",
            module_args={**common, **arguments},
            task_vars=self._task_vars,
        )

    def _end(self, submitted: dict[str, Any], look: dict[str, Any]) -> dict[str, Any]:
        problem = end_problem(look)
        if problem is None:
            display.display(f"{look['name']}: run {look['run_id']} completed")
            return _merge(submitted, look, finished=True)
        tail = self._run_info(name=look["name"], run_id=look["run_id"], log_lines=LOG_LINES).get("log_tail") or []
        pointer = ["The end of its log is in log_tail."] if tail and look["status"] != "stopped" else []
        text = "\n".join([problem, *pointer, *resumption(look)])
        return self._failure(submitted, {**look, "log_tail": tail}, text)

    def _failure(self, submitted: dict[str, Any], look: dict[str, Any], message: str) -> dict[str, Any]:
        return {**_merge(submitted, look, finished=False), "failed": True, "msg": message}


def _merge(submitted: dict[str, Any], look: dict[str, Any], finished: bool) -> dict[str, Any]:
    """What the submission says of the change stays; what is newer about the run replaces the old."""
    own = ("changed", "submitted", "stopped", "diff", "invocation")
    kept = {key: submitted[key] for key in own if key in submitted}
    return {**submitted, **look, **kept, "num_rounds": submitted["num_rounds"], "finished": finished}
