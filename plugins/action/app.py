# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App, digest
from ansible_collections.fedops.flower.plugins.plugin_utils._app_files import app_files
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._sending import SendingAction


class ActionModule(SendingAction):
    """Read the app on the controller, and send its files only when the host does not have them yet."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        source = os.path.expanduser(str(arguments.pop("src", "") or ""))
        if not source:
            raise AnsibleActionFail("src is missing: give the folder of a Flower app on the controller.")
        overlay, kit = arguments.pop("overlay", None), boolean(arguments.pop("kit", None) or False)
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            with errors_as(AnsibleActionFail):
                app, files = app_files(source, overlay, kit, folder)
            arguments.update(src=source, name=app.name, checksum=digest(files))
            result = self.execute_sending(arguments, files, task_vars)
        if not result.get("failed"):
            result["app"] = _describe(app)
        return result


def _describe(app: App) -> dict[str, Any]:
    return {"id": app.app_id, "name": app.name, "version": app.version, "config": dict(app.config)}
