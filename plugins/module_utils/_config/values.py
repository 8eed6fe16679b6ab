# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value of one training variable: read it as its type, or say what is wrong with it.

Values arrive re-typed: AWX and Ansible's extra vars turn ``'5'`` into 5, ``'yes'`` into true and ``''`` into nothing;
OpenNebula turns everything into text. Each spelling of a value that can only mean one thing is accepted.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
import re

from .._base.jsonable import is_whole
from .variable import LARGEST_INTEGER, Variable

_TRUE = ("true", "yes", "on", "y", "t", "1")
_FALSE = ("false", "no", "off", "n", "f", "0")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", re.ASCII)
_DIGITS_AT_MOST = 400  # more digits than any legal number has; longer text is refused before it is converted


class BadValue(ValueError):
    """A value that its variable refuses; the text is the rule that it breaks."""


def parse(variable: Variable, value: object) -> object:
    """The value in the variable's own type."""
    return _PARSERS[variable.type](variable, value.strip() if isinstance(value, str) else value)


def _parse_bool(variable: Variable, value: object) -> bool:
    if isinstance(value, (bool, str)):
        text = str(value).lower()
    else:
        number = _number(value)
        text = str(int(number)) if number in (0, 1) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValue("must be true or false")


def _parse_int(variable: Variable, value: object) -> int:
    rule = ", ".join(filter(None, ("must be a whole number", variable.bounds)))
    number = _number(value)
    if number is None or (isinstance(number, float) and not number.is_integer()):
        raise BadValue(rule)
    _check_bounds(variable, number)
    largest = variable.largest if variable.maximum is None else variable.maximum
    if abs(number) > largest:
        raise BadValue(f"must be at most {largest}" if number > 0 else f"must be at least -{largest}")
    return int(number)


def _parse_float(variable: Variable, value: object) -> float:
    number = _number(value)
    if number is None:
        raise BadValue(f"must be a number {variable.bounds}".rstrip())
    _check_bounds(variable, number)
    try:
        return float(number) + 0.0  # makes -0.0 the same configuration as 0.0
    except OverflowError:
        raise BadValue(f"must be a number {variable.bounds} that is not as large") from None


def _parse_str(variable: Variable, value: object) -> str:
    if is_whole(value) and abs(value) <= LARGEST_INTEGER:
        value = str(int(value))  # a name of digits, of which YAML made a number
    if not isinstance(value, str):
        raise BadValue(f"must be {variable.bounds or variable.pattern_rule or 'text'}")
    text = str(value)
    if variable.choices and text not in variable.choices:
        raise BadValue(f"must be {variable.bounds}")
    if variable.pattern and not re.fullmatch(variable.pattern, text):
        raise BadValue(f"must be {variable.pattern_rule}")
    if not text.isprintable():
        raise BadValue("must be text that can be printed")
    return variable.canonical(text) if variable.canonical else text


_PARSERS = {"bool": _parse_bool, "int": _parse_int, "float": _parse_float, "str": _parse_str}


def _number(value: object) -> int | float | None:
    """The finite number that a value is or spells; nothing when it is or spells something else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > _DIGITS_AT_MOST or not _NUMBER.fullmatch(value):
            return None
        value = float(value) if re.search(r"[.eE]", value) else int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, int) else None


def _check_bounds(variable: Variable, number: int | float) -> None:
    low, high = variable.minimum, variable.maximum
    too_low = low is not None and (number < low or (variable.exclusive_minimum and number == low))
    too_high = high is not None and (number > high or (variable.exclusive_maximum and number == high))
    if too_low or too_high:
        raise BadValue(f"must be {variable.bounds}")
