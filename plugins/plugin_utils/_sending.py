# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that send files only to a host that asks for them.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase


class SendingAction(ActionBase):
    """Asks the module first; it answers with ``needs_archive`` when it cannot do its work without the files.

    Most runs change nothing, and then nothing is packed and nothing travels.
    """

    TRANSFERS_FILES = True
    _requires_connection = True

    def execute_sending(
        self, arguments: Mapping[str, Any], files: Mapping[str, str], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Execute the task's module; ``files`` maps each name in the archive to a file or folder on the controller."""
        result = self._execute_module(module_args=dict(arguments), task_vars=task_vars)
        if result.pop("needs_archive", False):
            with_archive = {**arguments, "archive": self._send(files)}
            result = self._execute_module(module_args=with_archive, task_vars=task_vars)
        return result

    def _send(self, files: Mapping[str, str]) -> str:
        """Pack the files and transfer them as one; return the archive's path on the host."""
        with tempfile.TemporaryDirectory(prefix="fedops-") as folder:
            local = os.path.join(folder, "files.tar")
            # Not compressed: wheels are already, and an app is small.
            with tarfile.open(local, "w") as archive:
                for name, path in files.items():
                    archive.add(path, arcname=name)
            remote = self._connection._shell.join_path(self._make_tmp_path(), "files.tar")
            return self._transfer_file(local, remote)
