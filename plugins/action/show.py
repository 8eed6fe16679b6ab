# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless

LONGEST = 1_000_000  # characters of a page


class ActionModule(ActionBase):
    """Print a page of text on the controller; no host is touched."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec({"text": {"type": "str", "required": True}})
        self._display.display(f"\n{harmless(arguments['text'], LONGEST, multiline=True)}\n")
        result.update(changed=False)
        return result
