# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with one part of a reply, in words: an array, a metric, a number, a name. Nothing when all is well."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from flwr.app import Array, ArrayRecord, MetricRecord
from numpy.typing import NDArray

from .arrays import is_finite, update_norm, view
from .dtypes import BFLOAT16, is_bfloat16
from .knowledge._base.jsonable import harmless

MOST_EXAMPLES = 2**53  # a count; the sum of larger weights could overflow, which makes a model of zeros

# What a site may report beside its model. The names reach the history, logs and tables; what is more than a person
# looks at is of no use there, and everything is kept for every round.
MOST_METRICS = 64
LONGEST_METRIC_NAME = 64  # characters
MOST_VALUES = 1024  # of a metric that is a list, such as one value for each class

# The largest number of a model. No weight comes near it, and squares of it, added up over any model, are still numbers
# in float32: one site could else make every strategy that squares updates end the run.
LARGEST = 1e12
LARGEST_LOSS = 1e12  # QFedAvg raises it to a power

SHOWN = 500  # characters of a text that a site chose


def norm_flaw(arrays: ArrayRecord, model: ArrayRecord, most: float, names: Iterable[str] | None = None) -> str:
    """Say that an update is longer than allowed; nothing when it is not, or ``most`` is 0, which bounds nothing.

    ``names`` are the arrays that count; None: all.
    """
    if not most:
        return ""
    norm = update_norm(arrays, model, names)
    return (
        "" if norm <= most else f"the norm of its update is {norm:g} but must be at most {most:g} (fl_max_update_norm)"
    )


def names_flaw(names: list[str], expected: list[str]) -> str:
    if names == expected:
        return ""
    there, known = set(names), set(expected)
    if missing := [name for name in expected if name not in there]:
        return f"the array {missing[0]!r} of the model is missing"
    if unknown := [name for name in names if name not in known]:
        return f"the array {unknown[0]!r} is not one of the model's"
    return "its arrays are not in the order of the model's"  # some strategies count


def array_flaw(name: str, array: Array, expected: Array, as_before: bool = False) -> str:
    """Say what is wrong with an array of a reply; nothing when all is well.

    ``as_before``: what the model holds there may stay, be it infinite or too large, as in a mask.
    """
    values, wanted = view(array), view(expected)
    kinds = {(_dtype(values), values.shape), (array.dtype, tuple(array.shape))}  # what it is, what it says it is
    if different := kinds - {(_dtype(wanted), wanted.shape)}:
        dtype, shape = min(different)
        return f"the array {name!r} is {dtype}{list(shape)} but must be {_dtype(wanted)}{list(wanted.shape)}"
    if as_before and not is_finite(wanted, LARGEST):
        is_kept = is_finite(values, LARGEST, wanted)
        return "" if is_kept else f"the array {name!r} is not the model's where that is infinite"
    return "" if is_finite(values, LARGEST) else unsound_flaw(name, values)


def unsound_flaw(name: str, values: NDArray) -> str:
    """Say what is wrong with an array whose numbers are not all finite and within the largest."""
    return f"the array {name!r} holds " + (
        f"numbers beyond {LARGEST:g}" if is_finite(values) else "NaN or infinite numbers"
    )


def claim_flaw(name: str, array: Array) -> str:
    """Say that an array is not what it says that it is; nothing when it is."""
    values = view(array)
    if (_dtype(values), values.shape) == (array.dtype, tuple(array.shape)):
        return ""
    said = f"{array.dtype}{list(array.shape)}"
    return f"the array {name!r} is {_dtype(values)}{list(values.shape)} but says that it is {said}"


def _dtype(values: NDArray) -> str:
    return BFLOAT16 if is_bfloat16(values) else str(values.dtype)


def metrics_flaw(metrics: MetricRecord, times: int = 1) -> str:
    """Say what is wrong with the names of metrics, or with how many there are; nothing when all is well.

    ``times`` is by how much more is taken than of our own app.
    """
    most, longest, most_values = MOST_METRICS * times, LONGEST_METRIC_NAME * times, MOST_VALUES * times
    if len(metrics) > most:
        return f"it reports {len(metrics)} metrics but at most {most} are taken"
    for name, value in metrics.items():
        if not name or len(name) > longest or name != harmless(name):
            return (
                f"a metric is called {plain(name, longest)!r}, which is not 1 to {longest} characters that can be read"
            )
        if isinstance(value, list) and len(value) > most_values:
            return f"the metric {name!r} has {len(value)} values but at most {most_values} are taken"
    return ""


def finite_flaw(metrics: MetricRecord) -> str:
    """Say which metric is no finite number; nothing when all are."""
    for name, value in metrics.items():
        if not all(math.isfinite(number) for number in (value if isinstance(value, list) else [value])):
            return f"{name} is no finite number"  # it would be the average of all sites
    return ""


def weight_flaw(key: str, metrics: MetricRecord) -> str:
    """Say what is wrong with the metric that a reply is weighted by: a strategy divides by the sum of all."""
    words = f"above 0 and at most {MOST_EXAMPLES}"
    return number_flaw(key, metrics.get(key), lambda weight: 0 < weight <= MOST_EXAMPLES, words)


def loss_flaw(key: str, metrics: MetricRecord) -> str:
    """Say what is wrong with the loss that a strategy weights sites by; nothing where it does not."""
    if not key:
        return ""
    # The strategy raises it to a power, which is no number for a negative one.
    if flaw := number_flaw(key, metrics.get(key), lambda loss: loss >= 0, "at least 0"):
        return flaw
    return number_flaw(key, metrics.get(key), lambda loss: loss <= LARGEST_LOSS, f"at most {LARGEST_LOSS:g}")


def number_flaw(name: str, value: object, rule: Callable[[float], bool], words: str) -> str:
    """Say what is wrong with a number; nothing when it is one by the rule."""
    if value is None:
        return f"{name} is missing"
    if isinstance(value, (int, float)) and math.isfinite(value) and rule(value):
        return ""
    return f"{name} is {value} but must be {words}"


def plain(text: str, limit: int = SHOWN) -> str:
    """Return a text that a site may have chosen as one line, of bounded length, that nothing but a reader acts on."""
    return harmless(text, limit)
