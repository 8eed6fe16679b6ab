# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Send the locks and the wheels, as one archive, only when the host is not at that lock."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        files = {name: self._file(arguments.get(option), option) for name, option in LOCKS.items()}
        wheelhouse = os.path.expanduser(str(arguments.get("wheelhouse") or ""))
        if wheelhouse:
            files["wheels"] = wheelhouse
            if not os.path.isdir(wheelhouse):
                raise AnsibleActionFail(f"wheelhouse is {wheelhouse}, which is no directory on the controller.")

        with open(files["requirements.txt"], "rb") as lock:
            arguments.update(checksum=hashlib.sha256(lock.read()).hexdigest(), offline=bool(wheelhouse))
        result = self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.pop("needs_archive", False):
            archive = self._send(files)
            result = self._execute_module(module_args={**arguments, "archive": archive}, task_vars=task_vars)
        return result

    def _file(self, path: str | None, option: str) -> str:
        expanded = os.path.expanduser(str(path or ""))
        if not os.path.isfile(expanded):
            raise AnsibleActionFail(f"{option} is '{expanded}', which is no file on the controller.")
        return expanded

    def _send(self, files: dict[str, str]) -> str:
        """Pack the files and transfer them; return the archive's path on the host."""
        with tempfile.TemporaryDirectory(prefix="fedops-venv-") as folder:
            local = os.path.join(folder, "venv.tar")
            # Wheels are compressed already.
            with tarfile.open(local, "w") as archive:
                for name, path in files.items():
                    archive.add(path, arcname=name)
            remote = self._connection._shell.join_path(self._make_tmp_path(), "venv.tar")
            return self._transfer_file(local, remote)


LOCKS = {"requirements.txt": "lock", "uv.txt": "uv_lock"}
