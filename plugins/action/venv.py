# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.module_utils._release.lockfile import pins, problems
from ansible_collections.fedops.flower.plugins.plugin_utils._sending import SendingAction


class ActionModule(SendingAction):
    """Send the locks and the wheels, as one archive, only when the host is not at that lock."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        files = {name: self._file(arguments.get(option), option) for name, option in LOCKS.items()}
        wheelhouse = os.path.expanduser(str(arguments.get("wheelhouse") or ""))
        if wheelhouse:
            files["wheels"] = wheelhouse
            if not os.path.isdir(wheelhouse):
                raise AnsibleActionFail(f"wheelhouse is {wheelhouse}, which is no directory on the controller.")

        with open(files["requirements.txt"], "rb") as stream:
            lock = stream.read()
        wrong = problems(lock.decode(errors="replace"))
        if wrong:
            said = "".join(f"\n- It {problem}" for problem in wrong)
            raise AnsibleActionFail(f"lock is {files['requirements.txt']}, which cannot be deployed.{said}")
        version = pins(lock.decode(errors="replace")).get("flwr")
        arguments.update(checksum=hashlib.sha256(lock).hexdigest(), version=version, offline=bool(wheelhouse))
        return self.execute_sending(arguments, files, task_vars)

    def prepare(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Install what a virtual environment is made with: only where it is missing, since apt may know no source."""
        apt = {"name": arguments.pop("packages"), "update_cache": True}  # once: should it not help, the build tells why
        return self._execute_module(module_name="ansible.builtin.apt", module_args=apt, task_vars=task_vars)

    def _file(self, path: str | None, option: str) -> str:
        expanded = os.path.expanduser(str(path or ""))
        if not os.path.isfile(expanded):
            raise AnsibleActionFail(f"{option} is '{expanded}', which is no file on the controller.")
        return expanded


LOCKS = {"requirements.txt": "lock", "uv.txt": "uv_lock"}
