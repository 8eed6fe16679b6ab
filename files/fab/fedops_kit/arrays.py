# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The numbers of an array, looked at where they lie: no copy is made of more than a piece."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from .dtypes import is_inexact, wide
from .mapped import header_of, lying, numbers_in

_CHUNK = 1 << 20  # numbers that are looked at, or turned into float64, at a time


def view(array: Array) -> NDArray:
    """Return the numbers of an array where they lie."""
    return numbers_in(lying(array), header_of(array))


def flat(array: Array) -> NDArray:
    """Return an array's numbers in a row, a complex one as two."""
    values = view(array).reshape(-1)
    return values.view(values.real.dtype) if np.iscomplexobj(values) else values


def update_norm(arrays: Mapping[str, Array], model: Mapping[str, Array], names: Iterable[str] | None = None) -> float:
    """Return the Euclidean length of the update over floating-point arrays; infinite when it has no number."""
    total = 0.0
    with np.errstate(over="ignore"):
        for name in model if names is None else names:
            new, old = view(arrays[name]).reshape(-1), view(model[name]).reshape(-1)
            if not is_inexact(new):
                continue  # counters, such as the steps of a batch normalization
            for start in range(0, new.size, _CHUNK):
                part, before = wide(new[start : start + _CHUNK]), wide(old[start : start + _CHUNK])
                total += float(np.square(np.abs(part.astype(np.result_type(part.dtype, np.float64)) - before)).sum())
    return math.sqrt(total)


def is_finite(values: NDArray, largest: float = math.inf, known: NDArray | None = None) -> bool:
    """Tell whether an array holds neither NaN nor infinite numbers, nor any beyond the largest.

    Where ``known`` does, the same number is as good, and where that is none, no other is.
    """
    if not is_inexact(values):
        return True
    if known is not None:
        rows = values.reshape(-1), known.reshape(-1)
        parts = (tuple(wide(row[start : start + _CHUNK]) for row in rows) for start in range(0, values.size, _CHUNK))
        return all(_is_as_known(part, before, largest) for part, before in parts)
    row = values.reshape(-1, order="A")  # as it lies, so that nothing is copied
    return all(_is_finite(wide(row[start : start + _CHUNK]), largest) for start in range(0, row.size, _CHUNK))


def _is_as_known(part: NDArray, before: NDArray, largest: float) -> bool:
    same = (part == before) | (np.isnan(part) & np.isnan(before))
    with np.errstate(invalid="ignore"):
        return bool((same | (np.isfinite(before) & (np.abs(part) <= largest))).all())


def _is_finite(part: NDArray, largest: float) -> bool:
    if np.issubdtype(part.dtype, np.complexfloating):
        return bool(np.isfinite(part).all()) and float(np.abs(part).max()) <= largest
    low, high = float(part.min()), float(part.max())  # NaN when there is one, which compares as false
    return -math.inf < low and high < math.inf and -largest <= low and high <= largest
