# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tarfile
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._app import (
    App,
    AppError,
    digest,
    read_app,
    source_files,
)


class ActionModule(ActionBase):
    """Read the app on the controller, and send its files only when the host does not have them yet."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        source = os.path.expanduser(str(arguments.pop("src", "") or ""))
        if not source:
            raise AnsibleActionFail("src is missing: give the folder of a Flower app on the controller.")
        try:
            app = read_app(source)
            files = source_files(source, arguments.pop("overlay", None))
        except AppError as error:
            raise AnsibleActionFail(str(error)) from error

        arguments.update(src=source, name=app.name, checksum=digest(files))
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.pop("needs_archive", False):
            archive = self._send(files)
            result = self._execute_module(module_args={**arguments, "archive": archive}, task_vars=task_vars)
            result.pop("needs_archive", None)
        if not result.get("failed"):
            result["app"] = _describe(app)
        return result

    def _send(self, files: dict[str, str]) -> str:
        """Pack the source files and transfer them; return the archive's path on the host."""
        with tempfile.TemporaryDirectory(prefix="fedops-app-") as folder:
            local = os.path.join(folder, "app.tar.gz")
            with tarfile.open(local, "w:gz") as archive:
                for name, path in files.items():
                    archive.add(path, arcname=name, recursive=False)
            remote = self._connection._shell.join_path(self._make_tmp_path(), "app.tar.gz")
            return self._transfer_file(local, remote)


def _describe(app: App) -> dict[str, Any]:
    return {"id": app.app_id, "name": app.name, "version": app.version, "config": dict(app.config)}
