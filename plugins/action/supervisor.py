# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.fedops.flower.plugins.plugin_utils._program import SUPERVISOR
from ansible_collections.fedops.flower.plugins.plugin_utils._sending import SendingAction


class ActionModule(SendingAction):
    """Build the program on the controller, and send it only to a host that has another one."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        return self.execute_with_program(SUPERVISOR, self._task.args, task_vars)
