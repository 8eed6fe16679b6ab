# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that follow a training on its host for as long as it takes.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

POLL = 30  # seconds that one look waits on the host, so that one connection serves for many looks
LOG_LINES = 40


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


def patience(deadline: float | None) -> float:
    """Return how long one look may wait on the host."""
    return POLL if deadline is None else min(POLL, max(0.1, deadline - time.monotonic()))


def merged(submitted: dict[str, Any], look: dict[str, Any], finished: bool) -> dict[str, Any]:
    """What the submission says of the change stays; what is newer about the training replaces the old."""
    own = ("changed", "submitted", "stopped", "diff", "invocation")
    kept = {key: submitted[key] for key in own if key in submitted}
    return {**submitted, **look, **kept, "num_rounds": submitted["num_rounds"], "finished": finished}
