# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a run configuration that a Flower app takes: Flower refuses a key that the app does not declare.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._base.jsonable import is_whole
from .._base.notation import show, to_toml
from .._config.continuity import FIRST, later_rows
from .._config.rules import ERROR, WARNING, Problem
from .._config.table import BY_KEY, BY_NAME
from .._config.training import Training
from .app import App

# The collection itself tells trainings apart by this name; an app need not know it.
OWN_KEY = "training-name"


@dataclass(frozen=True)
class AppConfig:
    """What an app is given: the training's values under the keys that it declares, and keys of its own."""

    app: App
    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    implied: frozenset[str] = frozenset()  # keys of rows that came later, with what the app does anyway

    @property
    def takes_all(self) -> bool:
        """Whether the app takes every training variable, as far as there were any when it was written."""
        return {BY_NAME[name].key for name in FIRST} <= set(self.values)

    @property
    def toml(self) -> str:
        """The file that ``flwr run --run-config`` takes."""
        return "".join(f"{_quoted(key)} = {to_toml(value)}\n" for key, value in self.values.items())

    @property
    def configuration_hash(self) -> str:
        """The hash of what its ServerApp trains where it takes every variable, else one over the app and its values."""
        if self.takes_all:
            return Training.from_run_config(self.values).configuration_hash
        values = {key: value for key, value in self.values.items() if key not in self.implied}
        canonical = json.dumps([self.app.app_id, values], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def for_app(app: App, training: Training, extra: Mapping[str, Any]) -> AppConfig:
    """Choose what ``app`` takes of ``training``, join ``extra``, and tell what does not fit."""
    problems = []
    values = {}
    for key, value in training.run_config.items():
        declared = app.config.get(key)
        if key in app.config and _fits(value, declared):
            values[key] = _as(value, declared)
        elif key != OWN_KEY and value != training.default_of(BY_KEY[key]):
            problems.append(_not_taken(app, key, value))
    for key, value in extra.items():
        declared = app.config.get(key)
        if key not in app.config:
            problems.append(_undeclared(app, key, value))
        elif not _fits(value, declared):
            rule = f"{app.app_id} declares it as {_type(declared)}, with the default {show(declared)}"
            problems.append(Problem(ERROR, f"training_run_config['{key}']", value, rule, "Give a value of that type."))
        else:
            values[key] = _as(value, declared)
    keys = {row.key for row in later_rows()} & values.keys() - extra.keys()
    implied = frozenset(key for key in keys if values[key] == app.config[key])
    return AppConfig(app, values, tuple(problems), implied)


def _not_taken(app: App, key: str, value: Any) -> Problem:
    how = f"declares {key} as {_type(app.config[key])}" if key in app.config else f"does not declare {key}"
    return Problem(
        WARNING,
        BY_KEY[key].ansible,
        value,
        f"the app {app.app_id} {how}, so that it does not get it",
        "Declare the key in the app's [tool.flwr.app.config] and read it there, or leave the variable unset.",
    )


def _undeclared(app: App, key: str, value: Any) -> Problem:
    near = difflib.get_close_matches(str(key), list(app.config), 1)
    hint = f"Did you mean {near[0]}?" if near else f"It declares {', '.join(sorted(app.config)) or 'none'}."
    rule = f"the app {app.app_id} declares no such key in its [tool.flwr.app.config]"
    return Problem(ERROR, f"training_run_config['{key}']", value, rule, hint)


def _fits(value: Any, declared: Any) -> bool:
    """Whether Flower takes ``value`` where the app's default is ``declared``: it compares their types."""
    if is_whole(value) and isinstance(declared, float):
        return True
    return _type(value) == _type(declared)


def _as(value: Any, declared: Any) -> Any:
    return float(value) if isinstance(declared, float) else value


def _type(value: Any) -> str:
    for kind, name in ((bool, "true or false"), (int, "a whole number"), (float, "a number"), (str, "text")):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _quoted(key: str) -> str:
    return key if all(part.replace("-", "").replace("_", "").isalnum() for part in key.split(".")) else to_toml(key)
