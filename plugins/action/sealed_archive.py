# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import AnsibleVaultError, AnsibleVaultFormatError, VaultLib, VaultSecret
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._backup.sealing import VAULT


class ActionModule(ActionBase):
    """Open an archive that an earlier release has sealed as C(ansible-vault) does it, and hand it to the module."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        password = str(arguments.pop("password", None) or "")  # no host needs it
        opens = arguments.get("method") == VAULT and arguments.get("state") in ("verified", "restored")
        if not opens or self._task.check_mode:
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        content = _open(Path(str(arguments.get("path"))).expanduser(), password)
        try:
            arguments["opened"] = self._send(content)
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        finally:
            if folder := self._connection._shell.tmpdir:
                self._remove_tmp_path(folder, force=True)  # also where ansible-core is told to keep remote files

    def _send(self, content: bytes) -> str:
        """Transfer what is secret to a directory on the host that only the task's account can enter."""
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        path = self._connection._shell.join_path(folder, "opened")
        self._transfer_data(path, content)
        self._remote_chmod([path], "0600")
        self._fixup_perms2([folder, path], execute=False)
        return path


def _open(path: Path, password: str) -> bytes:
    """Return what was sealed."""
    if not password:
        raise AnsibleActionFail("method is vault, which needs password.")
    try:
        return VaultLib([("default", VaultSecret(password.encode()))]).decrypt(path.read_bytes())
    except OSError as error:
        why = error.strerror
    except (AnsibleVaultError, AnsibleVaultFormatError):
        why = "another password has sealed it, it is damaged, or it is not one of ansible-vault"
    raise AnsibleActionFail(f"{path} cannot be opened: {why}.")
