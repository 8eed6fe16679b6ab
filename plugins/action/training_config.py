# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._problems import ERROR, INFO, WARNING, Problem
from ansible_collections.fedops.flower.plugins.module_utils._training import Training, check, merged, node_count
from ansible_collections.fedops.flower.plugins.module_utils._variables import RUNTIMES

ARGUMENTS = {
    "variables": {"type": "dict"},
    "context": {"type": "dict"},
    "nodes_online": {"type": "raw"},  # text from a survey, or nothing, is as good as a number
    "runtime": {"type": "str", "choices": list(RUNTIMES), "default": RUNTIMES[0]},
}


class ActionModule(ActionBase):
    """Check the training on the controller; no host is needed for it."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given, broken = self._variables(arguments["variables"], task_vars or {})
        variables = merged(arguments["context"] or {}, given)
        try:
            problems = broken + check(variables, node_count(arguments["nodes_online"]), arguments["runtime"])
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        self._tell(problems)
        result.update(changed=False, problems=[problem.as_dict() for problem in problems])
        errors = [problem.message for problem in problems if problem.severity == ERROR]
        if errors:
            return {**result, "failed": True, "msg": "\n".join(["The training variables are wrong:", *errors])}
        return {**result, **_described(Training.from_variables(variables, arguments["runtime"]))}

    def _variables(
        self, given: Mapping[str, Any] | None, task_vars: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Problem]]:
        """The variables to check, and those whose template does not render."""
        if given is not None:
            return dict(given), []
        variables, broken = {}, []
        for name in sorted(name for name in task_vars if name.startswith("fl_")):
            try:
                variables[name] = self._templar.template(task_vars[name])
            except AnsibleError as error:
                broken.append(
                    Problem(ERROR, name, str(task_vars[name]), f"it does not render: {error.message}", "Correct it.")
                )
        return variables, broken

    def _tell(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.severity == WARNING:
                self._display.warning(problem.message)
            elif problem.severity == INFO:
                self._display.display(f"[INFO]: {problem.message}", color="bright blue")


def _described(training: Training) -> dict[str, Any]:
    return {
        "training": dict(training.values),
        "run_config": training.toml,
        "configuration_hash": training.configuration_hash,
        "strategy_parameters": training.strategy_parameters,
    }
