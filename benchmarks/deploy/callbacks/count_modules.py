# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes down every execution of a module: a line each, with the host that it ran on.

A task is no measure: template executes two modules, an action of a collection any number, a retry as many again. All
of them go through one method of Ansible, in processes forked from the one that loads this callback.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

VARIABLE = "COUNT_MODULES_FILE"


class CallbackModule(CallbackBase):
    """Replaces that method by one that tells and then does the same."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "count_modules"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._record = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        execute = ActionBase._execute_module

        @functools.wraps(execute)
        def counted(action: ActionBase, module_name: str | None = None, *arguments: Any, **named: Any) -> Any:
            variables = named.get("task_vars") or {}
            host = variables.get("inventory_hostname")
            where = action._task.delegate_to or host
            self._tell(module=module_name or action._task.action, on=where, host=host, task=action._task.get_name())
            return execute(action, module_name, *arguments, **named)

        ActionBase._execute_module = counted

    def _tell(self, **fields: Any) -> None:
        os.write(self._record, (json.dumps(fields) + "\n").encode())  # at once, since others append to the same file

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write down as well whether anything was changed."""
        for host in stats.processed:
            self._tell(summary=host, changed=stats.summarize(host)["changed"])
