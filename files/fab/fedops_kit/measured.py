# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the code of an app says of a model: Flower asks for a MetricRecord, and takes anything."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
from flwr.app import MetricRecord

from .knowledge._base.jsonable import Bounds, harmless, harmless_value, is_number

_BOUNDS = Bounds(text=500, items=1024, depth=4, total=4096)


def measured(found: object) -> dict[str, Any]:
    """Return metrics by name, of numbers and of what else JSON has: what is told of a model, and ends a training.

    Of what is no dictionary nothing is known.
    """
    if isinstance(found, MetricRecord):
        return dict(found)
    if not isinstance(found, Mapping):
        return {}
    told: dict[str, Any] = {}
    for name, value in islice(found.items(), _BOUNDS.items):
        plain = _plain(value)
        # A number that is not finite stays one: it is no better than any other.
        told[harmless(str(name), _BOUNDS.key)] = plain if is_number(plain) else harmless_value(plain, _BOUNDS)
    return told


def not_finite(metrics: MetricRecord) -> list[str]:
    """Name the metrics that are no finite number, or hold one that is not."""
    return [name for name, value in metrics.items() if not all(map(math.isfinite, _listed(value)))]


def mean_of_finite(name: str, weight: str, records: Iterable[MetricRecord]) -> float | list[float] | None:
    """Return the weighted mean of a metric over those where it is finite; None where it is nowhere."""
    found = [(cast("float", record[weight]), record[name]) for record in records if name not in not_finite(record)]
    if not found:
        return None
    total = sum(count for count, dummy in found)
    shares = [count / total for count, dummy in found]
    columns = zip(*(_listed(value) for dummy, value in found), strict=True)
    means = [sum(map(operator.mul, shares, column)) for column in columns]
    return means if isinstance(found[0][1], list) else means[0]


def _listed(value: int | float | list[int] | list[float]) -> Sequence[float]:
    return value if isinstance(value, list) else [value]


def _plain(value: object) -> Any:
    """Return a number for one of a library, and lists for an array; None for what is neither text nor number."""
    if isinstance(value, Mapping):
        return {harmless(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, (int, float, str)) or value is None:
        return value
    try:
        plain = value.tolist() if hasattr(value, "tolist") else np.asarray(value).tolist()
    except Exception:  # it is foreign code
        return None
    return plain if isinstance(plain, (int, float, str, list)) else None
