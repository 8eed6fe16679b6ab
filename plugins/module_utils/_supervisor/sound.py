# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a file that is JSON, but not as we write it, can be used: a supervisor must not die of it at every start.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t

from .._base.jsonable import is_number
from .endings import ENDINGS

RESTART_KEYS = ("time", "reason", "detail", "run_id", "round")


def fits(value: t.Any, usual: t.Any) -> bool:
    """Tell whether a value is of the same type as the usual one."""
    if isinstance(usual, float):
        return is_number(value)
    return type(value) is type(usual)


def sound(values: t.Mapping[str, t.Any], usual: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return what of a memory is as it is to be; C(usual) has a value of the right type for every key."""
    return {
        key: values[key]
        for key in usual
        if key in values and fits(values[key], usual[key]) and (key not in _RULES or _RULES[key](values[key]))
    }


def _are_texts(value: t.Iterable[t.Any]) -> bool:
    return all(isinstance(item, str) for item in value)


def _are_processes(value: list[t.Any]) -> bool:
    return all(isinstance(item, list) and [type(number) for number in item] == [int, int] for item in value)


def _are_restarts(value: list[t.Any]) -> bool:
    return all(isinstance(item, dict) and all(key in item for key in RESTART_KEYS) for item in value)


def _is_ending(value: dict[str, t.Any]) -> bool:
    words = [value.get(key) for key in ("kind", "reason", "text")]
    return not value or (_are_texts(words) and words[0] in ENDINGS)


def _is_moment(value: str) -> bool:
    try:
        return not value or math.isfinite(float(value))
    except ValueError:
        return False


# What is to be true of a value beside its type, where something would break of it.
_RULES: t.Mapping[str, t.Callable[[t.Any], bool]] = {
    "waiting_for": _are_texts,
    "online": _are_texts,
    "newcomers": _are_texts,
    "processes": _are_processes,
    "restarts": _are_restarts,
    "ending": _is_ending,
    "submitting": _is_moment,
}
