# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a run configuration that a Flower app takes: Flower refuses a key that the app does not declare.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._base.jsonable import canonical_hash, is_whole
from .._base.notation import quoted, show, to_toml
from .._config.code import OF_CODE
from .._config.continuity import FIRST, later_rows
from .._config.kit import APPS_OWN, KIT_ROWS, apps_keys, has_kit, identity_of, kit_key
from .._config.knobs import EXTRA_KEY, flat, of_value, read_knobs
from .._config.situation import ERROR, INFO, WARNING, Problem
from .._config.synonyms import keys_of
from .._config.table import BY_ANSIBLE, BY_KEY, BY_NAME
from .._config.training import Training, TrainingError
from .._config.variable import Variable
from .app import App

# The collection itself tells trainings apart by these; an app need not know them.
OWN_KEYS = tuple(BY_NAME[name].key for name in ("training_name", *OF_CODE))


@dataclass(frozen=True)
class AppConfig:
    """What an app is given: the training's values under the keys that it declares, and keys of its own."""

    app: App
    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()
    implied: frozenset[str] = frozenset()  # keys of rows that came later, with what the app does anyway
    standing: Mapping[str, Any] = field(default_factory=dict)  # its own defaults, where the first release gave it ours
    named: Mapping[str, str] = field(default_factory=dict)  # keys that the operator has named for variables

    @property
    def takes_all(self) -> bool:
        """Whether the app takes every training variable, as far as there were any when it was written."""
        return _knows_all(self.values)

    @property
    def tells(self) -> bool:
        """Whether the app tells what it does: as ours, or by the kit."""
        return self.takes_all or has_kit(self.app.config)

    @property
    def training(self) -> Training | None:
        """What is trained, by the variables: keys of ``extra`` count. None where the app does not take all of them."""
        return Training.from_run_config(self.values) if self.takes_all else None

    @property
    def num_rounds(self) -> int | None:
        """The rounds that the app is told to train; None where it is left to the app."""
        row = BY_NAME["num_rounds"]
        keys = (kit_key(row), self.named.get(row.name, ""), *keys_of(row, apps_keys(self.values)))
        given = map(self.values.get, keys)
        return next((int(value) for value in given if is_whole(value) and value > 0), None)

    @property
    def toml(self) -> str:
        """The file that ``flwr run --run-config`` takes."""
        return "".join(f"{quoted(key)} = {to_toml(value)}\n" for key, value in self.values.items())

    @property
    def configuration_hash(self) -> str:
        """The hash of what its ServerApp trains where it takes every variable, else one over the app and its values."""
        if self.training:
            return self.training.configuration_hash
        if has_kit(self.app.config):
            return canonical_hash(identity_of(self.app.app_id, {**self.app.config, **self.values}))
        given = {key: value for key, value in self.values.items() if key not in self.implied}
        return canonical_hash([self.app.app_id, {**self.standing, **given}])


def for_app(app: App, training: Training, extra: Mapping[str, Any]) -> AppConfig:
    """Choose what ``app`` takes of ``training``, join ``extra``, and tell what does not fit."""
    problems = []
    values, standing = {}, {}
    extra, named = _named(app, training, dict(flat(extra)))
    takes_all, by_kit, apps = _knows_all(app.config), KIT_ROWS if has_kit(app.config) else (), apps_keys(app.config)
    for own, value in training.run_config.items():
        row = BY_KEY[own]
        chosen = row.name in training.given or value != training.default_of(row)
        keys = keys_of(row, apps)
        key = next((key for key in keys if _fits(value, app.config[key])), None)
        if row in by_kit and (row.name not in APPS_OWN or (chosen and key is None)):
            values[kit_key(row)] = value
        if key and (chosen or takes_all):  # the default of an app of others is its own
            values[key] = _as(value, app.config[key])
            if key not in row.keys:
                problems.append(_told(app, row, value, f"knows it as {key}, and gets it so"))
        elif chosen and own not in OWN_KEYS and row.name not in named and row not in by_kit:
            problems.append(_not_taken(app, training, row, keys))
        elif key:
            if row.name in FIRST and key == row.first_key:
                standing[key] = app.config[key]
            if key in extra or app.config[key] == value:
                continue
            rule = f"has {key} = {show(app.config[key])} of its own, which stands"
            problems.append(_told(app, row, value, rule, f"To change it, set {key} in training_run_config."))
    rows = {key: of_value(key, default) for key, default in app.config.items()}
    turned, wrong = read_knobs(extra, {**rows, **app.knobs}, EXTRA_KEY, f"the app {app.app_id}")
    problems += wrong
    values |= _chosen(app, turned, takes_all)
    if takes_all and turned.keys() & BY_KEY.keys():
        problems += _judged(values)
    later = {row.key for row in later_rows()} & values.keys() - extra.keys()
    implied = frozenset(key for key in later if values[key] == app.config[key])
    return AppConfig(app, values, tuple(problems), implied, standing, named)


def _knows_all(keys: Collection[str]) -> bool:
    """Whether every variable of the first release is among the keys."""
    return all(any(key in keys for key in BY_NAME[name].keys) for name in FIRST)


def _named(app: App, training: Training, extra: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The keys with their values, and which variables are among those: C(rounds: fl_num_rounds) says where one goes.

    The latter by their names, with their keys.
    """
    rows = {
        key: BY_ANSIBLE[value]
        for key, value in extra.items()
        if isinstance(value, str) and value in BY_ANSIBLE and key in app.config
    }
    return {**extra, **{key: training.values[row.name] for key, row in rows.items()}}, {
        row.name: key for key, row in rows.items()
    }


def _told(app: App, row: Variable, value: Any, rule: str, hint: str = "") -> Problem:
    return Problem(INFO, row.ansible, value, f"the app {app.app_id} {rule}", hint or "Nothing is to be done.")


def _not_taken(app: App, training: Training, row: Variable, keys: Sequence[str]) -> Problem:
    how = f"declares {keys[0]} as {_type(app.config[keys[0]])}" if keys else f"does not declare {row.key}"
    if training.values[row.name] == training.default_of(row):
        severity = INFO  # a form that asks for everything says it of everything
    elif row.name in training.given and row.applies_to(str(training.values["strategy"])):
        severity = ERROR
    else:
        severity = WARNING  # it would reach nothing in our app either, or nobody has set it but a rule
    return Problem(
        severity,
        row.ansible,
        training.values[row.name],
        f"the app {app.app_id} {how}, so that it does not get it",
        "Leave the variable unset; or declare the key in the app's [tool.flwr.app.config] and read it there; or name"
        f" the key of the app that means it: training_run_config: {{KEY: {row.ansible}}}."
        + (" It reaches an app that has the kit: app_kit, docs/any-app.md." if row in KIT_ROWS else ""),
    )


def _chosen(app: App, turned: Mapping[str, Any], takes_all: bool) -> dict[str, Any]:
    """The keys of the app alone to give it.

    One that takes every variable says in its hash what it is given, and that is to be the same whether somebody has
    chosen a default or left it. Knobs have no part in trainings of before, and are always given.
    """
    if not takes_all:
        return dict(turned)
    knobs = {key: row.default for key, row in app.knobs.items()}
    given = {key: value for key, value in turned.items() if key in BY_KEY or value != app.config[key]}
    return {**knobs, **given}


def _judged(values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with training variables that are given by their keys."""
    try:
        Training.from_run_config(values)
    except TrainingError as error:
        return error.problems
    return []


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
