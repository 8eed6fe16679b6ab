# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import harmless
from ansible_collections.fedops.flower.plugins.module_utils._base.notation import is_unset
from ansible_collections.fedops.flower.plugins.module_utils._config.situation import (
    ERROR,
    INFO,
    WARNING,
    Problem,
    worst_first,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.sizing import Room
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME, RUNTIME_NAMES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check, node_count
from ansible_collections.fedops.flower.plugins.module_utils._console.context import merged, told
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import PYPROJECT, App, read_app, source_files
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import AppConfig, for_app
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_kit import depends_on_numpy, with_kit
from ansible_collections.fedops.flower.plugins.module_utils._flower.users_code import code_hash
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from ansible_collections.fedops.flower.plugins.plugin_utils._origin import Values

ARGUMENTS = {
    "variables": {"type": "dict"},
    "context": {"type": "dict"},
    "fixed": {"type": "dict"},
    "room": {"type": "dict"},
    "nodes_online": {"type": "raw"},  # text from a survey, or nothing, is as good as a number
    "runtime": {"type": "str", "choices": list(RUNTIME_NAMES), "default": RUNTIME_NAMES[0]},
    "home": {"type": "path", "default": HOME},
    "initial": {"type": "dict"},
    "app": {"type": "path"},
    "overlay": {"type": "dict"},
    "kit": {"type": "bool", "default": False},
    "extra": {"type": "dict"},
}


INITIAL = (("checkpoint", "path"), ("sha256", "sha256"))  # a variable, and what the module returns for it


CODE = BY_NAME["code_sha256"].ansible
_NO_NUMPY = Problem(
    INFO, "app_kit", True, "the app does not depend on NumPy, which the kit needs", "Add numpy to its dependencies."
)


class ActionModule(ActionBase):
    """Check the training on the controller; no host is needed for it."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        dummy, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        given, problems = self._variables(arguments["variables"], task_vars or {})
        context = arguments["context"] or {}
        variables = merged(context, given, arguments["runtime"], arguments["home"])
        problems += told(context)
        variables.update(arguments["fixed"] or {})
        if initial := arguments["initial"]:
            variables.update({f"fl_initial_{name}": initial.get(key) for name, key in INITIAL})
        with errors_as(AnsibleActionFail):
            online, room = node_count(arguments["nodes_online"]), Room.of(arguments["room"] or {})
            runtime, home = arguments["runtime"], arguments["home"]
            problems += check(variables, online, runtime, room, home)
            app = read_app(os.path.abspath(arguments["app"]), arguments["overlay"]) if arguments["app"] else None
            if app:
                code = code_hash(app.path, arguments["overlay"])
                problems += _other_code(variables.get(CODE), code)
                variables[CODE] = code
            # Keys of the app are checked even when variables are wrong, so that everything is told at once.
            sound = {} if _errors(problems) else variables
            training = Training.from_variables(sound, runtime, home)
            config = _app_config(arguments, app, training)
        of_app = config.problems if config else ()
        if _errors(problems):  # what the app gets of variables that are wrong is nothing to tell
            of_app = tuple(problem for problem in of_app if problem.severity == ERROR)
        problems = worst_first([*problems, *of_app])
        self._warn(problems)
        # Infos speak of the variables alone: the first check, without nodes and model, has shown them.
        once = arguments["nodes_online"] is None and not arguments["initial"] and not arguments["fixed"]
        if once and _is_first_host(task_vars or {}):
            self._inform(problems)
        result.update(changed=False, problems=[problem.as_dict() for problem in problems])
        if errors := _errors(problems):
            return {**result, "failed": True, "msg": "\n".join(["The training variables are wrong:", *errors])}
        return {**result, **_described(training, config)}

    def _variables(
        self, given: Mapping[str, Any] | None, task_vars: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[Problem]]:
        """The variables to check, and a problem for each one whose template does not render."""
        if given is not None:
            return dict(given), []
        variables, broken = {}, []
        values = Values(self._templar, task_vars, self._task)
        for name in sorted(name for name in task_vars if name.startswith("fl_")):
            try:
                variables[name] = values.of(name)
            except AnsibleError as error:
                rule = f"it does not render: {error.message}"
                broken.append(Problem(ERROR, name, str(task_vars[name]), rule, "Correct it."))
        return variables, broken

    def _warn(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.severity == WARNING:
                self._display.warning(harmless(problem.message))

    def _inform(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            if problem.severity == INFO:
                self._display.display(f"[INFO]: {harmless(problem.message)}", color="bright blue")


def _is_first_host(task_vars: Mapping[str, Any]) -> bool:
    """Ansible shows the same warning once however many hosts give it, but not other text."""
    hosts = task_vars.get("ansible_play_hosts") or [task_vars.get("inventory_hostname")]
    return hosts[0] == task_vars.get("inventory_hostname")


def _errors(problems: Iterable[Problem]) -> list[str]:
    return [problem.message for problem in problems if problem.severity == ERROR]


def _app_config(arguments: Mapping[str, Any], app: App | None, training: Training) -> AppConfig | None:
    if app:
        if not arguments["kit"]:
            return for_app(app, training, arguments["extra"] or {})
        files = source_files(app.path, arguments["overlay"])
        config = for_app(with_kit(app, files), training, arguments["extra"] or {})
        return config if depends_on_numpy(files[PYPROJECT]) else replace(config, problems=(*config.problems, _NO_NUMPY))
    for name in ("extra", "overlay", "kit"):
        if arguments[name]:
            raise AnsibleActionFail(f"{name} is given but app is not. Name the app that it belongs to.")
    return None


def _other_code(wanted: object, code: str) -> list[Problem]:
    """What is wrong when the app has other code than is asked for."""
    if is_unset(wanted) or wanted == code:
        return []
    hint = "Look what has changed in the app or in app_overlay, or leave it unset."
    return [Problem(ERROR, CODE, wanted, f"the app has the code {code}", hint)]


def _described(training: Training, config: AppConfig | None) -> dict[str, Any]:
    # Of our own app, a key in training_run_config is as good as the variable, for all that is done with it.
    training = (config and config.training) or training
    return {
        "training": dict(training.values),
        "run_config": config.toml if config else training.toml,
        "configuration_hash": config.configuration_hash if config else training.configuration_hash,
        "code": training.values["code_sha256"],
        "num_rounds": config.num_rounds if config else training.values["num_rounds"],
        "strategy_parameters": training.strategy_parameters,
        "app": config.app.app_id if config else None,
        "provable": config is None or config.tells,
    }
