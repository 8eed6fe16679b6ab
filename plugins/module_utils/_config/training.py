# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One training: its variables checked, completed, typed, written as a run configuration, and told apart by a hash.

The same code runs on the Ansible controller and inside the ServerApp, so that both mean the same by a configuration.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.errors import FedopsError
from .._base.home import HOME
from .._base.jsonable import canonical_hash
from .._base.notation import is_unset, quoted, show, to_toml
from .continuity import first_default, is_hashed, renamed
from .knobs import Knobs, flat, read_knobs
from .privacy import NO_SECURE_AGGREGATION, PRIVACY, is_secure_aggregation
from .rules import related
from .situation import ERROR, INFO, WARNING, Problem, Situation, worst_first
from .sizing import Room
from .strategies import MIXED, STRATEGIES, listed, raised_minimums
from .table import BY_ANSIBLE, BY_KEY, BY_NAME, RUNTIME_NAMES, VARIABLES
from .values import BadValue, parse
from .variable import EXTRA, Variable

_MINIMUMS = {name: int(str(BY_NAME[name].default)) for name in ("min_available_clients", "min_fit_clients")}
_COUNTED = {"strategy", "num_malicious", MIXED, "num_nodes_to_select", "fraction_train", *_MINIMUMS}
# What those ask for who come from elsewhere, and why there is no such variable.
_NOT_NEEDED = {
    "secure_aggregation": NO_SECURE_AGGREGATION,
    "secagg": NO_SECURE_AGGREGATION,
    "resume_round": "A training resumes after its newest good checkpoint by itself, with the round that it has. Remove"
    " {name}; {resume} says whether it resumes (auto), begins anew (never) or fails without a checkpoint (require).",
}
_OF_THE_APP = frozenset({"fl_use_case"})  # which app it is, and no variable of a training: the role app reads it
_NODES_ONLINE = Variable("nodes_online", "int", None, "SuperNodes online", "", "", minimum=0)

__all__ = ["Problem", "Training", "TrainingError", "check", "mapping", "nearest", "node_count"]


class TrainingError(FedopsError):
    """A configuration that cannot be trained; the text lists every error, one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = [problem for problem in problems if problem.severity == ERROR]
        super().__init__("\n".join(problem.message for problem in self.problems))


@dataclass(frozen=True)
class Training:
    """A configuration without errors."""

    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()  # warnings and infos
    runtime: str = RUNTIME_NAMES[0]
    home: str = HOME
    extra: Mapping[str, Any] = field(default_factory=dict)  # by key, what the app alone knows
    chosen: frozenset[str] = frozenset()  # those of them that are part of the identity
    given: frozenset[str] = frozenset()  # the rows that somebody has set, to their defaults too

    @classmethod
    def from_variables(
        cls, variables: Mapping[str, object], runtime: str = RUNTIME_NAMES[0], home: str = HOME
    ) -> Training:
        """From ``fl_*`` variables, for a SuperLink host with this runtime and home of Flower."""
        present = _present(runtime, home)
        examined, problems, given = _examine(variables, BY_ANSIBLE, lambda row: row.ansible, present)
        return cls(*cls._checked(examined, problems), runtime, home, given=given)

    @classmethod
    def from_run_config(
        cls, run_config: Mapping[str, object], knobs: Knobs | None = None, given: Collection[str] | None = None
    ) -> Training:
        """From Flower's run configuration, as a file has it or as the app is given it.

        One that was written before there was a row leaves it out, and means its first default. A key that no row has
        is the app's own. Its value decides the model's bytes where C(knobs) declares it, or where it is C(given), for
        one that is not has the default of the app; without C(given), all of them do.
        """
        values = renamed(dict(flat(mapping(run_config))))
        ours = {key: values.pop(key) for key in list(values) if key in BY_KEY}
        knobs = knobs or {}
        turned, wrong = read_knobs({key: value for key, value in values.items() if key in knobs}, knobs)
        examined, problems, dummy = _examine(ours, BY_KEY, lambda row: row.key, first_default)
        rows, checked = cls._checked(examined, [*problems, *wrong])
        extra = {**{key: row.default for key, row in knobs.items()}, **values, **turned}
        chosen = extra.keys() if given is None else extra.keys() & {*knobs, *given}
        # A run configuration holds every row, so that nothing in it tells a choice from a default.
        told = tuple(problem for problem in checked if problem.severity != INFO)
        return cls(rows, told, extra=extra, chosen=frozenset(chosen))

    @staticmethod
    def _checked(values: dict[str, object], problems: list[Problem]) -> tuple[dict[str, object], tuple[Problem, ...]]:
        if any(problem.severity == ERROR for problem in problems):
            raise TrainingError(problems)
        return values, tuple(problems)

    def default_of(self, variable: Variable) -> object:
        """What a variable is in this training when nobody sets it."""
        return variable.default_for(str(self.values["strategy"]), self.runtime, self.home)

    @property
    def strategy_parameters(self) -> dict[str, Any]:
        """The keyword arguments of the strategy's class."""
        return STRATEGIES[str(self.values["strategy"])].arguments(self.values)

    @property
    def run_config(self) -> dict[str, object]:
        """Every row of the table under its key, and the keys of the app alone."""
        return {**{variable.key: self.values[variable.name] for variable in VARIABLES}, **self.extra}

    @property
    def toml(self) -> str:
        """The run configuration as the file that ``flwr run --run-config`` takes."""
        return "".join(f"{quoted(key)} = {to_toml(value)}\n" for key, value in self.run_config.items())

    @property
    def identity(self) -> dict[str, object]:
        """The values that decide the model's bytes; a row that came later is none while it is its first default.

        Those of the app alone are written C(extra.KEY).
        """
        strategy = str(self.values["strategy"])
        return {
            **{
                variable.name: self.values[variable.name]
                for variable in VARIABLES
                if is_hashed(variable, self.values[variable.name], strategy)
            },
            **{EXTRA + key: self.extra[key] for key in sorted(self.chosen)},
        }

    @property
    def configuration_hash(self) -> str:
        """Tells trainings apart that would not end with the same bytes."""
        return canonical_hash(self.identity)


def check(
    variables: Mapping[str, object],
    nodes_online: int | None = None,
    runtime: str = RUNTIME_NAMES[0],
    room: Room | None = None,
    home: str = HOME,
) -> list[Problem]:
    """Everything there is to say about ``fl_*`` variables: errors, then warnings, then infos."""
    return _examine(variables, BY_ANSIBLE, lambda row: row.ansible, _present(runtime, home), nodes_online, room)[1]


def node_count(value: object) -> int | None:
    """The number of nodes online; nothing when it is not given."""
    try:
        return None if is_unset(value) else int(str(parse(_NODES_ONLINE, value)))
    except BadValue as bad:
        raise FedopsError(f"nodes_online is {show(value)} but {bad}. Leave it out when it is not known.") from None


def mapping(variables: object) -> Mapping[Any, Any]:
    """The same, refused in words when it is no dictionary."""
    if not isinstance(variables, Mapping):
        raise FedopsError(f"A dictionary of variables is needed, but {show(variables)} was given.")
    return variables


def _present(runtime: str, home: str) -> Callable[[Variable, str], object]:
    """What a row is with a strategy where nobody sets it."""
    if runtime not in RUNTIME_NAMES:
        raise FedopsError(f"runtime is {show(runtime)} but must be one of {', '.join(RUNTIME_NAMES)}.")
    return lambda row, strategy: row.default_for(strategy, runtime, home)


def _examine(
    given: Mapping[str, object],
    rows: Mapping[str, Variable],
    spell: Callable[[Variable], str],
    unset: Callable[[Variable, str], object],
    nodes_online: int | None = None,
    room: Room | None = None,
) -> tuple[dict[str, object], list[Problem], frozenset[str]]:
    """The values of all variables that have a good one, all problems, and which rows are set.

    C(unset) gives what is not given.
    """
    unknown = {name: value for name, value in mapping(given).items() if name not in rows}
    problems = [_unknown(name, value, rows) for name, value in unknown.items() if name not in _OF_THE_APP]
    values: dict[str, object] = {}
    chosen = {rows[name].name: value for name, value in given.items() if name in rows and not is_unset(value)}
    for variable in sorted(VARIABLES, key=lambda row: row.name != "strategy"):  # defaults depend on the strategy
        default = unset(variable, str(values.get("strategy", "")))
        try:
            values[variable.name] = parse(variable, chosen[variable.name]) if variable.name in chosen else default
        except BadValue as bad:
            if idle := _idle(variable, chosen[variable.name], str(bad), values, spell):
                problems.append(idle)
                values[variable.name] = default
                del chosen[variable.name]
            else:
                problems.append(_bad(variable, chosen[variable.name], str(bad), spell(variable), default))
    raised = raised_minimums(values, _MINIMUMS) if values.keys() >= _COUNTED else {}
    before = {name: values[name] for name in raised}
    values.update(raised)
    problems += related(Situation(values, frozenset(chosen), nodes_online, spell, room, before))
    return values, worst_first(problems), frozenset(chosen)


def _idle(
    row: Variable, value: object, rule: str, values: Mapping[str, object], spell: Callable[[Variable], str]
) -> Problem | None:
    """What to say of a bad value that has no effect; nothing where it has one."""
    strategy = str(values.get("strategy", ""))
    if strategy and not row.applies_to(strategy):
        hint = f"It is a parameter of {listed(row.strategies)}."
        return Problem(WARNING, spell(row), value, f"{rule}; {strategy} ignores it", hint)
    if row.switch and values.get(row.switch) == BY_NAME[row.switch].default:
        switch, off = spell(BY_NAME[row.switch]), values[row.switch]
        rule = f"{rule}; it has no effect while {switch} is {show(off)}"
        on = " to true" if off is False else ""
        return Problem(INFO, spell(row), value, rule, f"Correct it before you set {switch}{on}.")
    return None


def _bad(variable: Variable, value: object, rule: str, spelled: str, default: object) -> Problem:
    choices = {choice.lower(): choice for choice in variable.choices}
    near = difflib.get_close_matches(value.strip().lower()[:64], choices, 1) if isinstance(value, str) else []
    if variable.name == PRIVACY and isinstance(value, str) and is_secure_aggregation(value):
        return Problem(ERROR, spelled, value, rule, NO_SECURE_AGGREGATION.format(privacy=spelled))
    hint = f"Did you mean {choices[near[0]]}?" if near else f"Correct it, or leave it unset for {show(default)}."
    return Problem(ERROR, spelled, value, rule, hint)


def _unknown(name: object, value: object, rows: Mapping[str, Variable]) -> Problem:
    spellings = {row.name: spelled for spelled, row in rows.items()}
    plain, near = _plain(name), nearest(name)
    if plain in _NOT_NEEDED:
        hint = _NOT_NEEDED[plain].format(name=name, **spellings)
    elif near:
        hint = f"Did you mean {spellings[near.name]}?"
    else:
        hint = "Remove it; docs/variables.md lists those that exist."
    return Problem(
        ERROR,
        name if isinstance(name, str) and name.isidentifier() and len(name) <= 64 else show(name),
        value,
        "no training variable has this name",
        hint,
    )


def _plain(name: object) -> str:
    """A name without what the place where it is written adds."""
    plain = str(name)[:64].lower().replace("-", "_") if isinstance(name, str) else ""
    return plain[3:] if plain.startswith("fl_") else plain


def nearest(name: object, likeness: float = 0.6) -> Variable | None:
    """The variable that a wrong name probably means: by likeness, or by a word that only one name has."""
    plain = _plain(name)
    near = difflib.get_close_matches(plain, BY_NAME, 1, likeness)
    near = near or [known for known in BY_NAME if plain in known.split("_")]
    return BY_NAME[near[0]] if len(near) == 1 else None
