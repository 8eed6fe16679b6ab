# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
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
    """Refuse a controller that lacks something, and tags that select nothing; no host is touched."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        options = {"imports": {"type": "list", "elements": "str", "default": []}}
        _validation, arguments = self.validate_argument_spec(options)
        result.update(changed=False)
        problem = PROBLEM or missing(arguments["imports"]) or nothing_selected(self._loader)
        if problem is not None:
            result.update(failed=True, msg=problem)
        return result


def missing(packages: Iterable[str]) -> str | None:
    """Return which of these packages the Python of ansible-core lacks, and what to do, or None when it has them all."""
    lacking = [name for name in packages if find_spec(name) is None]
    if not lacking:
        return None
    return (
        f"The Python of ansible-core ({sys.executable}) lacks what this playbook needs on the controller:"
        f" {', '.join(lacking)}. Install it: {sys.executable} -m pip install {' '.join(lacking)}"
    )
