# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import opened
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.models import CONTROLLER
from ansible_collections.fedops.flower.plugins.module_utils._training.initial import description
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as


class ActionModule(ActionBase):
    """Read a file of the controller, and send it only to a host that does not have it yet."""

    TRANSFERS_FILES = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        source = str(arguments.get("source") or "")
        if not source.startswith(CONTROLLER):
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        path = os.path.abspath(os.path.expanduser(source.removeprefix(CONTROLLER).strip()))
        about = _read(source, path)
        arguments["announced"] = {"sha256": about["sha256"], "size": about["bytes"]}
        answer = self._execute_module(module_args=dict(arguments), task_vars=task_vars)
        if answer.pop("needs_file", False):
            remote = self._connection._shell.join_path(self._make_tmp_path(), "model")
            arguments["staged"] = self._transfer_file(path, remote)
            answer = self._execute_module(module_args=dict(arguments), task_vars=task_vars)
        return answer


def _read(source: str, path: str) -> dict[str, Any]:
    """Refuse what is no model before it travels."""
    try:
        with errors_as(AnsibleActionFail), opened(os.path.realpath(path)) as stream:
            return description(stream, path)
    except OSError as error:
        raise AnsibleActionFail(
            f"fl_initial_checkpoint is {source}, and {path} on the controller cannot be read: {error.strerror}."
        ) from error
