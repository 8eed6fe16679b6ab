# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the functions of a task report, in the types that a message of Flower has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.app import MetricRecord

_WHOLE = range(-(1 << 63), 1 << 63)  # the whole numbers of a message; larger ones are sent as floats


def record_of_metrics(reported: object, function: str) -> MetricRecord:
    """Return what ``function`` of task.py has reported: numbers, and lists of them, by name.

    Numbers of NumPy and arrays of one dimension count as such, also those of PyTorch and JAX. Anything else is a
    TypeError that names it.
    """
    if not isinstance(reported, Mapping):
        raise TypeError(f"{function}() in task.py has returned {type(reported).__name__} where its metrics should be")
    record = MetricRecord()
    for name, value in reported.items():
        if not isinstance(name, str):
            raise TypeError(f"{function}() in task.py calls a metric {name!r}, which is no text")
        record[name] = _numbers(value, f"{function}() in task.py has reported {name!r}")
    return record


def _numbers(value: Any, said: str) -> int | float | list[int] | list[float]:
    """Return a number, or a list of numbers of one type."""
    plain = value
    if isinstance(value, tuple):
        plain = list(value)
    elif not isinstance(value, (int, float, list)):
        # A tensor that has a gradient, or lies on a GPU, is no array to NumPy; one of TensorFlow has no tolist().
        plain = value.tolist() if hasattr(value, "tolist") else np.asarray(value).tolist()
    if not isinstance(plain, list):
        return _number(plain, f"{said} as")
    plain = [item.item() if isinstance(item, np.generic) else item for item in plain]
    found = [_number(item, f"{said} as a list that holds") for item in plain]
    return [float(item) for item in found] if any(isinstance(item, float) for item in found) else found


def _number(value: object, said: str) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and value not in _WHOLE:
        value = float(value)
    if not isinstance(value, (int, float)):
        raise TypeError(f"{said} {type(value).__name__}, and a metric is a number or a list of numbers")
    return value
