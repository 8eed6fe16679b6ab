# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that follow a training on its host for as long as it takes.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless

display = Display()

POLL = 30  # seconds that one look waits on the host, so that one connection serves for many looks
LOG_LINES = 40
HOST_PATIENCE = 300  # seconds that a host may be out of reach: a training outlives its reboot
RETRY = 5  # seconds between two tries to reach it
OUT_OF_REACH = "unknown"  # how a training stands whose host is out of reach


class FollowingAction(ActionBase):
    """Looks at a training through the module run_info, again and again."""

    def deadline(self, arguments: dict[str, Any]) -> float | None:
        """Return when to give up following."""
        value = arguments.get("timeout") or 0
        try:
            seconds = float(value)
        except (TypeError, ValueError) as error:
            raise AnsibleActionFail(
                f"timeout is {value!r} but must be a number of seconds. Give 0 for no limit."
            ) from error
        return time.monotonic() + seconds if seconds > 0 else None

    def waits(self, arguments: dict[str, Any]) -> bool:
        """Tell whether the end is waited for."""
        return bool(boolean(arguments.get("wait", True), strict=False))

    def run_info(self, task_vars: dict[str, Any] | None, **arguments: Any) -> dict[str, Any]:
        """Look once."""
        common = {key: self._task.args[key] for key in ("home", "superlink") if key in self._task.args}
        return self._execute_module(
            module_name="fedops.flower.run_info", module_args={**common, **arguments}, task_vars=task_vars
        )

    def lost_at_the_start(self, error: AnsibleConnectionFailure) -> dict[str, Any]:
        """Return the result of a task whose host was lost before it could say what it has begun."""
        if self._task.check_mode:
            raise error  # nothing was to be begun
        name = self._task.args.get("name")
        text = f"{name}: its host was lost while the training was being started. {error.message}".rstrip()
        advice = "Train again to see how it stands; nothing is trained twice."
        return {"failed": True, "name": name, "status": OUT_OF_REACH, "finished": False, "msg": f"{text} {advice}"}

    def module_answer(
        self, task_vars: dict[str, Any] | None, deadline: float | None, **arguments: Any
    ) -> dict[str, Any]:
        """Look once, and wait for a host that cannot be reached: the training needs it, but not us."""
        away_since: float | None = None
        while True:
            try:
                answer = self.run_info(task_vars, **arguments)
            except AnsibleConnectionFailure as error:
                problem = error.message
            else:
                if not _is_cut_off(answer):
                    if away_since is not None:
                        display.display(f"{arguments['name']}: its host is there again")
                    return answer
                problem = harmless(str(answer.get("msg", "")))
            now = time.monotonic()
            if away_since is None:
                away_since = now
                display.display(
                    f"{arguments['name']}: its host cannot be reached; the training does not need us, waiting"
                )
            if now - away_since > HOST_PATIENCE or (deadline is not None and now >= deadline):
                text = f"its host cannot be reached for {now - away_since:.0f} s: {problem}"
                advice = "The training goes on as soon as its host does; the same task follows it again."
                return {"failed": True, "msg": f"{arguments['name']}: {text.rstrip()} {advice}"}
            time.sleep(RETRY)


def _is_cut_off(answer: dict[str, Any]) -> bool:
    """Tell whether a module has died without an answer, as it does on a host that goes down."""
    return bool(answer.get("failed")) and "module_stdout" in answer


def patience(deadline: float | None) -> float:
    """Return how long one look may wait on the host."""
    return POLL if deadline is None else min(POLL, max(0.1, deadline - time.monotonic()))


def merged(submitted: dict[str, Any], look: dict[str, Any], finished: bool) -> dict[str, Any]:
    """What the submission says of the change stays; what is newer about the training replaces the old."""
    own = ("changed", "submitted", "stopped", "diff", "invocation")
    kept = {key: submitted[key] for key in own if key in submitted}
    return {**submitted, **look, **kept, "num_rounds": submitted["num_rounds"], "finished": finished}
