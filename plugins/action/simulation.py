# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import digest
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import RUN_RUNNING
from ansible_collections.fedops.flower.plugins.module_utils._training.progress import Follower
from ansible_collections.fedops.flower.plugins.plugin_utils._app_files import app_files
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._following import POLL
from ansible_collections.fedops.flower.plugins.plugin_utils._sending import SendingAction

display = Display()

PROGRAM = "simulate.py"  # beside the app, which has a folder of its own


class ActionModule(SendingAction):
    """Read the app on the controller, send it and the program that simulates where the host has not both yet, and show
    each finished round.
    """

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        paths = {name: os.path.expanduser(str(arguments.pop(name, "") or "")) for name in ("app", "program")}
        for name, path in paths.items():
            if not os.path.exists(path):
                raise AnsibleActionFail(f"{name} is '{path}', which is not there on the controller.")
        overlay, kit = arguments.pop("overlay", None), boolean(arguments.pop("kit", None) or False)
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            with errors_as(AnsibleActionFail):
                app, files = app_files(paths["app"], overlay, kit, folder)
            sent = {**{f"app/{name}": path for name, path in files.items()}, PROGRAM: paths["program"]}
            arguments.update(checksum=digest(dict(sorted(sent.items()))), app_id=app.app_id, app_version=app.version)
            begun = self.execute_sending(arguments, sent, task_vars)
        if begun.get("failed") or not begun.get("running"):
            return begun
        return self._follow(arguments, task_vars)

    def _follow(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Show each finished round until the end."""
        name = f"{arguments['training']} (simulated)"
        display.display(f"{name}: started with {len(arguments['simulated'])} sites")
        follower: Follower | None = None
        while True:
            given = {**arguments, "follow": follower.next_round if follower else 1, "wait_seconds": POLL}
            seen = self._execute_module(module_args=given, task_vars=task_vars)
            if seen.get("failed"):
                return seen
            run_id = seen["effective"].get("run_id")
            if follower is None and isinstance(run_id, str):
                follower = Follower(name, run_id)
            for line in follower.lines({**seen, "status": RUN_RUNNING}) if follower else ():
                display.display(harmless(line))
            if not seen["running"]:
                return seen
