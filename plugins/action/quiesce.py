# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless
from ansible_collections.fedops.flower.plugins.plugin_utils._following import POLL

display = Display()


class ActionModule(ActionBase):
    """Quiesce or resume through the module; wait until every training stands still, and show for whom."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = {"wait_seconds": POLL, **self._task.args}

        def answer() -> dict[str, Any]:
            return self._execute_module("fedops.flower.quiesce", module_args=arguments, task_vars=task_vars)

        result = answer()
        while not self._task.check_mode and not result.get("failed") and not result.get("done"):
            display.display(harmless(f"still finishing a round: {', '.join(map(str, result['waiting_for']))}"))
            changed = result["changed"]
            diff = result.get("diff")
            result = answer()
            result["changed"] = changed or result.get("changed", False)
            if diff is not None:
                result["diff"] = diff
        return result
