# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How far the updates of a round are from one another, and which of them Krum and Bulyan take.

Flower compares whole models in the model's own type. Near convergence they are almost equal: the square of a distance
is then what is left of the difference of two large squares, which float32 rounds to nothing, and float16 to infinity. A
distance does not change when the same model is taken from both, so updates are compared here, in float64. They are
looked at piece by piece: no copy of a model is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

from .arrays import flat
from .dtypes import wide

_PIECE = 1 << 15  # numbers of each update at a time: those of a dozen sites stay in the processor's cache
# Two updates that differ by less than this part of their squares are compared number by number: the difference of their
# squares has lost four of float64's sixteen digits by then.
_NEAR = 1e-4


def squared_distances(
    replies: Sequence[Mapping[str, Array]], model: Mapping[str, Array], names: Sequence[str]
) -> NDArray:
    """Return the squares of the Euclidean distances between the updates of these arrays: (n, n), symmetric, float64."""
    products = np.zeros((len(replies), len(replies)))
    for piece in _pieces(replies, model, names):
        products += piece @ piece.T
    squares = np.diagonal(products)
    both = squares[:, None] + squares[None, :]
    distances = np.maximum(both - (products + products.T), 0.0)
    near = np.triu(distances < _NEAR * both, 1)
    pairs = np.argwhere(near).tolist()
    if pairs:
        distances[near] = 0.0
        for piece in _pieces(replies, model, names):
            for one, other in pairs:
                apart = piece[one] - piece[other]
                distances[one, other] += apart @ apart
    upper = np.triu(distances, 1)
    return upper + upper.T


def nearest(distances: NDArray, malicious: int, count: int) -> list[int]:
    """Return the replies with the lowest of Krum's scores, the best first, and of equals the first in order.

    A score is the sum of the squared distances to the n - f - 2 nearest others (Blanchard et al. 2017, section 4).
    """
    others = distances + np.diag(np.full(len(distances), np.inf))
    scores = np.sort(others, axis=1)[:, : max(1, len(distances) - malicious - 2)].sum(axis=1)
    return [int(index) for index in np.argsort(scores, kind="stable")[:count]]


def nearest_to_each(distances: NDArray, count: int) -> list[list[int]]:
    """Return for each reply so many that are nearest to it, itself among them, in the order of the replies."""
    itself = distances - np.diag(np.ones(len(distances)))  # first, even of several that are equal
    return [sorted(map(int, np.argsort(row, kind="stable")[:count])) for row in itself]


def nearest_one_by_one(distances: NDArray, malicious: int, count: int) -> list[int]:
    """Return Krum's best, then the best of those that are left, and so on (El Mhamdi et al. 2018, algorithm 1)."""
    left = list(range(len(distances)))
    taken: list[int] = []
    while left and len(taken) < count:
        taken.append(left.pop(nearest(distances[np.ix_(left, left)], malicious, 1)[0]))
    return taken


def _pieces(
    replies: Sequence[Mapping[str, Array]], model: Mapping[str, Array], names: Sequence[str]
) -> Iterator[NDArray]:
    """Yield pieces of the updates, a row for each reply."""
    for name in names:
        before, *after = (flat(arrays[name]) for arrays in (model, *replies))
        for start in range(0, before.size, _PIECE):
            part = slice(start, start + _PIECE)
            base = wide(before[part]).astype(np.float64)
            piece = np.empty((len(after), base.size))
            for row, values in zip(piece, after, strict=True):
                np.subtract(wide(values[part]), base, out=row)
            yield piece
