# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a model holds beside its parameters, and how the sites' become one.

A buffer is not learned by gradients: the running statistics of a batch normalization and their counter, a mask, a table
of positions. A server optimizer that steps along its change makes a variance negative, and a counter in a distance
drowns all weights. So buffers are taken out before a strategy sees a model, and combined by a rule of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from .arrays import flat, view
from .dtypes import BFLOAT16, array, is_bfloat16, is_countable, narrowed, wide
from .knowledge._base.jsonable import harmless
from .knowledge._config.strategies import MEDIAN, TRIMMED, trimmed

# How the names end that PyTorch gives to what a batch normalization keeps.
_PYTORCHS = ("running_mean", "running_var", "num_batches_tracked")
_PIECE = 1 << 16  # numbers of each reply at a time
_SHOWN = 100  # characters of what is no list


def names_of(model: Mapping[str, Array], named: Iterable[str] = ()) -> frozenset[str]:
    """Return the buffers of a model: integers and booleans are always some, others where the task names them.

    Raises ValueError for a name that is no array of the model, and for what are no names.
    """
    names = list(named) if isinstance(named, Iterable) and not isinstance(named, str) else [named]
    if isinstance(named, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"buffers() returns {harmless(repr(named), _SHOWN)}, and no list of names")
    given = frozenset(names)
    if unknown := sorted(given - model.keys()):
        raise ValueError(f"buffers() names {unknown[0]!r}, which is no array of the model")
    return given | {name for name, array in model.items() if is_countable(array.dtype)}


def forgotten(model: Mapping[str, Array], found: frozenset[str]) -> list[str]:
    """Return the arrays that have the name of a buffer in PyTorch and were not named as one."""
    return [name for name in model if name not in found and name.endswith(_PYTORCHS)]


def unlearned(model: Mapping[str, Array]) -> list[str]:
    """Return the arrays that are buffers by their type or their name."""
    found = names_of(model)
    return [name for name in model if name in found or name.endswith(_PYTORCHS)]


@dataclass(frozen=True)
class Rule:
    """How the values that the sites have in one place become one."""

    kind: str  # of the strategy's row
    weights: Sequence[float]  # of those that the strategy kept
    kept: Sequence[int]  # which they are, of all replies
    malicious: int = 0
    trim_beta: float = 0.0

    def combine(
        self, model: Mapping[str, Array], replies: Sequence[Mapping[str, Array]], names: Iterable[str]
    ) -> dict[str, Array]:
        """Return the buffers of the next model."""
        return {name: self._combined(model[name], [reply[name] for reply in replies]) for name in names}

    def _combined(self, before: Array, arrays: Sequence[Array]) -> Array:
        flats = [flat(each) for each in (before, *arrays)]
        made = np.empty_like(flats[0])
        dtype = BFLOAT16 if is_bfloat16(made) else str(made.dtype)
        for start in range(0, made.size, _PIECE):
            part = slice(start, start + _PIECE)
            base, *rows = (_exact(each[part]) for each in flats)
            fixed = ~np.isfinite(base)  # in a mask: the guards have let nothing else through there
            for row in (base, *rows) if fixed.any() else ():
                row[fixed] = 0
            made[part] = narrowed(self._rule(np.stack(rows), base), dtype)
            made[part][fixed] = flats[0][part][fixed]
        return array(made.view(view(before).dtype).reshape(before.shape))

    def _rule(self, rows: NDArray, base: NDArray) -> NDArray:
        if self.kind == MEDIAN:
            ordered, half = np.sort(rows, axis=0), len(rows) // 2
            low = ordered[half if len(rows) % 2 else half - 1]
            return low + (ordered[half] - low) / 2
        if self.kind == TRIMMED:
            cut = trimmed(len(rows), self.trim_beta)
            return _mean(np.sort(rows, axis=0)[cut : len(rows) - cut], base)
        kept = rows[list(self.kept)]
        if self.malicious:
            # A liar whose parameters are those of an honest site is kept: what lies outside of all but the f smallest
            # and the f largest values may be a lie.
            ordered = np.sort(rows, axis=0)
            kept = np.clip(kept, ordered[self.malicious], ordered[-1 - self.malicious])
        return _mean(kept, base, self.weights)


def _mean(rows: NDArray, base: NDArray, weights: Sequence[float] | None = None) -> NDArray:
    """Return the mean, as a change of the value before: what all sites have left alone stays the same to the bit."""
    weights = [1.0] * len(rows) if weights is None else weights
    total = sum(weights)
    change = np.zeros_like(base)
    for row, weight in zip(rows, weights, strict=True):
        change += (row - base) * base.dtype.type(weight / total)
    return base + change


def _exact(values: NDArray) -> NDArray:
    """Return numbers in a type that holds each of them exactly: counts of 64 bits are more than float64 has."""
    of_64_bits = values.dtype.kind in "iu" and values.dtype.itemsize == 8
    return wide(values).astype(np.longdouble if of_64_bits else np.float64)
