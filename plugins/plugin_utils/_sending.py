# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that send files only to a host that asks for them.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.facts import problem
from ansible_collections.fedops.flower.plugins.plugin_utils._program import Program


class SendingAction(ActionBase):
    """Asks the module first; it answers with ``needs_archive`` when it cannot do its work without the files, and with
    ``needs_preparation`` when it needs anything else.

    Most runs change nothing, and then nothing is packed and nothing travels.
    """

    TRANSFERS_FILES = True
    _requires_connection = True

    def execute_sending(
        self,
        arguments: Mapping[str, Any],
        files: Mapping[str, str],
        task_vars: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Execute the task's module; ``files`` maps each name in the archive to a file or folder on the controller.

        A host that is ``fresh`` is known to need them, and gets them without being asked.
        """
        if told := problem(str((task_vars or {}).get("inventory_hostname")), (task_vars or {}).get("ansible_facts")):
            raise AnsibleActionFail(told)
        given = dict(arguments)
        if boolean(arguments.get("fresh"), strict=False) and not self._task.check_mode:
            given["archive"] = self._send(files)
        answer = self._execute_module(module_args=dict(given), task_vars=task_vars)
        needs_preparation, needs_archive = (answer.pop(f"needs_{what}", False) for what in ("preparation", "archive"))
        if needs_preparation:
            prepared = self.prepare(given, task_vars)
            if prepared.get("failed"):
                return prepared
        if needs_archive:
            given["archive"] = self._send(files)
        if needs_preparation or needs_archive:
            return self._execute_module(module_args=dict(given), task_vars=task_vars)
        return answer

    def execute_with_program(
        self, program: Program, arguments: Mapping[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Execute the task's module, which gets the digest of a program of ours, and the program if it has another."""
        built = program.build()
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            path = Path(folder, program.file_name)
            path.write_bytes(built)
            with_digest = {**arguments, "program": hashlib.sha256(built).hexdigest()}
            return self.execute_sending(with_digest, {path.name: str(path)}, task_vars)

    def prepare(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Give a host what it needs beside the files; a result that has failed ends the task.

        The module is executed again with the arguments as they are then.
        """
        return {}

    def _send(self, files: Mapping[str, str]) -> str:
        """Pack the files and transfer them as one; return the archive's path on the host."""
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            local = os.path.join(folder, "files.tar")
            # Not compressed: wheels are already, and an app is small.
            with tarfile.open(local, "w", dereference=True) as archive:  # a name of its own for every file
                for name, path in files.items():
                    archive.add(path, arcname=name)
            remote = self._connection._shell.join_path(self._make_tmp_path(), "files.tar")
            return self._transfer_file(local, remote)
