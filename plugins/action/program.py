# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.plugin_utils._program import PROGRAMS


class ActionModule(ActionBase):
    """Build a program on the controller, and have C(ansible.builtin.copy) put it on the host."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        _validation, arguments = self.validate_argument_spec(
            {
                "name": {"type": "str", "required": True, "choices": [*PROGRAMS]},
                "directory": {"type": "path", "required": True},
            }
        )
        program = PROGRAMS[arguments["name"]]
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            path = Path(folder, program.file_name)
            path.write_bytes(program.build())
            task = self._task.copy()
            task.diff = False  # of an archive it would show nothing but bytes
            task.args = {
                "src": str(path),
                "dest": os.path.join(arguments["directory"], program.file_name),
                "owner": "root",
                "group": "root",
                "mode": "0644",
            }
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.legacy.copy",
                task=task,
                connection=self._connection,
                play_context=self._play_context,
                loader=self._loader,
                templar=self._templar,
                shared_loader_obj=self._shared_loader_obj,
            )
            return copy.run(task_vars=task_vars)
