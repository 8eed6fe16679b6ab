# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import (
    PYPROJECT,
    App,
    declaring,
    digest,
    read_app,
    source_files,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_kit import (
    kit_files,
    pyproject_with_kit,
    with_kit,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import KIT
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
        with errors_as(AnsibleActionFail):
            overlay = arguments.pop("overlay", None)
            app, files = read_app(source, overlay), source_files(source, overlay)
            pyproject = declaring(app, overlay)
            if boolean(arguments.pop("kit", None) or False):
                app = with_kit(app, files)
                text = Path(files[PYPROJECT]).read_text(encoding="utf-8") if pyproject is None else pyproject
                pyproject = pyproject_with_kit(text)
                files = dict(sorted({**files, **kit_files(KIT)}.items()))

        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            if pyproject is not None:
                files[PYPROJECT] = _written(Path(folder, PYPROJECT), pyproject)
            arguments.update(src=source, name=app.name, checksum=digest(files))
            result = self.execute_sending(arguments, files, task_vars)
        if not result.get("failed"):
            result["app"] = _describe(app)
        return result


def _written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8", newline="\n")
    return str(path)


def _describe(app: App) -> dict[str, Any]:
    return {"id": app.app_id, "name": app.name, "version": app.version, "config": dict(app.config)}
