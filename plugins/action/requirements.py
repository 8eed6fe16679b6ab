# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_core
from ansible_collections.fedops.flower.plugins import filter as filters
from ansible_collections.fedops.flower.plugins.plugin_utils._selection import nothing_selected
from ansible_collections.fedops.flower.plugins.plugin_utils._support import unsupported

PROBLEM = unsupported(ansible_core, sys.executable)

# Ansible loads the actions of a play in its main process, but filters in the process of each task and host, where it
# reads all of a collection's to find one. What the main process has imported, its children need not compile again.
if PROBLEM is None:
    for _module in iter_modules(filters.__path__):
        import_module(f"{filters.__name__}.{_module.name}")


class ActionModule(ActionBase):
    """Refuse an ansible-core that the collection does not support, and tags that select nothing; no host is touched."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        self.validate_argument_spec({})
        result.update(changed=False)
        problem = PROBLEM or nothing_selected(self._loader)
        if problem is not None:
            result.update(failed=True, msg=problem)
        return result
