# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of an app: keys of a run configuration that are no training variables, with their types and bounds.

A task declares them in a table, which is read and never run:

    KNOBS = {
        "augment-strength": {"default": 0.1, "minimum": 0, "maximum": 1},
        "optimizer.name": {"default": "sgd", "choices": ["sgd", "adam"]},
        "layers": 2,
    }

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .._base.errors import FedopsError
from .._base.jsonable import is_finite_number
from .._base.notation import is_unset, show
from .situation import ERROR, Problem
from .table import VARIABLES
from .values import BadValue, parse
from .variable import Variable

EXTRA_KEY = "training_run_config['{}']"  # as an operator writes a key of the app
TABLE_OF_KNOBS = "KNOBS"
MOST_KNOBS = 200
MOST_CHOICES = 200  # of a knob
LONGEST_SOURCE = 1 << 18  # characters of a file with a table; to parse one takes five hundred times as much memory
LARGEST_KNOB = 2**63 - 1  # as a whole number; Flower's messages hold no larger one
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}", re.ASCII)
_WORDS = ("default", "minimum", "maximum", "choices")
_TYPES = ((bool, "bool"), (int, "int"), (float, "float"), (str, "str"))
_OURS = frozenset(key for row in VARIABLES for key in row.keys)

Knobs = Mapping[str, Variable]


class KnobError(FedopsError):
    """A table of knobs that says nothing useful; the message lists every flaw, one a line."""


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of nested tables joined with a dot, as Flower does it, and their values."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def of_value(key: str, value: object) -> Variable:
    """The row of a key that is declared by nothing but a default."""
    return Variable(key, _type_of(value), value, key, "", "", flower_key=key, largest=LARGEST_KNOB)


def table_in(source: str) -> object:
    """The table in the text of a Python file, which is not run; nothing where it has none.

    :raises KnobError: when the file is no Python, or the table no plain literal.
    """
    if len(source) > LONGEST_SOURCE:
        if TABLE_OF_KNOBS not in source:
            return {}
        raise KnobError(
            f"it has {len(source)} characters, and a file with {TABLE_OF_KNOBS} at most {LONGEST_SOURCE}: move other"
            " code out of it"
        )
    try:
        for node in ast.parse(source).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if value and any(isinstance(target, ast.Name) and target.id == TABLE_OF_KNOBS for target in targets):
                return ast.literal_eval(value)
    except SyntaxError as error:
        raise KnobError(f"it is no Python: {error.msg} (line {error.lineno})") from None
    except (ValueError, TypeError, MemoryError, RecursionError):
        raise KnobError(
            f"{TABLE_OF_KNOBS} must be a plain literal, because it is read and not run: texts, numbers, True and False"
        ) from None
    return {}


def knobs_of(table: object, declared: Mapping[str, Any] | None = None) -> dict[str, Variable]:
    """The rows of a table. C(declared) has defaults from elsewhere, which it may leave out and must not contradict.

    :raises KnobError: with everything that is wrong with it.
    """
    if not isinstance(table, Mapping) or len(table) > MOST_KNOBS:
        raise KnobError(f"{TABLE_OF_KNOBS} must be a dictionary of at most {MOST_KNOBS} entries")
    rows: dict[str, Variable] = {}
    flaws = []
    for key, said in table.items():
        try:
            rows[key] = _row(key, said, declared or {})
        except BadValue as bad:
            flaws.append(f"{TABLE_OF_KNOBS}[{show(key)}] {bad}")
    if clash := next((key for key in rows for other in rows if other.startswith(f"{key}.")), None):
        flaws.append(f"{TABLE_OF_KNOBS}[{show(clash)}] is a value and a table of others")
    if flaws:
        raise KnobError("\n".join(flaws))
    return rows


def knobs_in_run(table: object, run_config: Mapping[str, Any]) -> dict[str, Variable]:
    """The rows of a table in a run, which knows the values of its keys and not the defaults of ``pyproject.toml``."""
    bare = {key for key, said in table.items() if _is_bare(said)} if isinstance(table, Mapping) else set()
    return knobs_of(table, {key: value for key, value in run_config.items() if key in bare})


def _is_bare(said: object) -> bool:
    return isinstance(said, Mapping) and "default" not in said


def read_knobs(
    given: Mapping[str, Any], rows: Knobs, spell: str = "{}", whose: str = "the app"
) -> tuple[dict[str, Any], list[Problem]]:
    """The values that are given, each in its own type, and what is wrong with others. An empty answer is no value."""
    values: dict[str, Any] = {}
    problems = []
    for key, value in given.items():
        if key not in rows:
            problems.append(_undeclared(key, value, rows, spell, whose))
        elif not is_unset(value) or (rows[key].type == "str" and isinstance(value, str)):
            try:
                values[key] = _parsed(rows[key], value)
            except BadValue as bad:
                hint = f"Correct it, or leave it out for {show(rows[key].default)}."
                problems.append(Problem(ERROR, spell.format(key), value, str(bad), hint))
    return values, problems


def _parsed(row: Variable, value: object) -> object:
    if row.type == "str" and isinstance(value, str) and not row.choices:
        return value  # a text of the app's own may begin with blanks, or have lines
    return parse(row, value)


def _undeclared(key: object, value: object, rows: Collection[str], spell: str, whose: str) -> Problem:
    near = difflib.get_close_matches(str(key)[:200], list(rows), 1)
    hint = f"Did you mean {near[0]}?" if near else f"It declares {', '.join(sorted(rows)) or 'none'}."
    return Problem(ERROR, spell.format(key), value, f"{whose} declares no such key in its [tool.flwr.app.config]", hint)


def _row(key: object, said: object, declared: Mapping[str, Any]) -> Variable:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise BadValue("must be called by letters, digits, hyphens and underscores, parts joined with dots")
    if key in _OURS:
        raise BadValue("is a training variable already; read it in settings, or choose another name")
    words = dict(said) if isinstance(said, Mapping) else {"default": said}
    if unknown := [word for word in words if word not in _WORDS]:
        raise BadValue(f"says {show(unknown[0])} but takes only {', '.join(_WORDS)}")
    if key in declared and not _are_same(words.setdefault("default", declared[key]), declared[key]):
        raise BadValue(
            f"has the default {show(words['default'])} but pyproject.toml says {show(declared[key])};"
            " give it in one place"
        )
    return _with_bounds(key, words)


def _are_same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other


def _with_bounds(key: str, words: Mapping[str, Any]) -> Variable:
    if "default" not in words:
        raise BadValue("has no default")
    kind, low, high = _type_of(words["default"]), words.get("minimum"), words.get("maximum")
    bounds = [bound for bound in (low, high) if bound is not None]
    if not all(map(is_finite_number, bounds)):
        raise BadValue("has a bound that is no finite number")
    if bounds and kind not in ("int", "float"):
        raise BadValue("has a minimum or maximum, but its default is no number")
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise BadValue(f"has a minimum of {show(low)} above its maximum of {show(high)}")
    row = Variable(
        key, kind, words["default"], key, "", "", minimum=low, maximum=high, choices=_choices(kind, words),
        flower_key=key, largest=LARGEST_KNOB,
    )  # fmt: skip
    try:
        parse(row, row.default)
    except BadValue as bad:
        raise BadValue(f"has the default {show(row.default)}, which {bad}") from None
    return row


def _choices(kind: str, words: Mapping[str, Any]) -> tuple[str, ...]:
    choices = words.get("choices", ())
    texts = isinstance(choices, (list, tuple)) and all(isinstance(choice, str) for choice in choices)
    if not texts or (choices and kind != "str"):
        raise BadValue("has choices, which must be a list of texts for a text")
    if len(choices) > MOST_CHOICES:
        raise BadValue(f"has {len(choices)} choices but may have at most {MOST_CHOICES}")
    return tuple(choices)


def _type_of(value: object) -> str:
    kind = next((name for type_, name in _TYPES if isinstance(value, type_)), "")
    if not kind:
        raise BadValue(f"is {show(value)} but must be text, a number, true or false")
    return kind
