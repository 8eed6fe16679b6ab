# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Nearest-neighbour mixing (Allouah et al. 2023, arXiv:2302.01772, algorithm 2), in front of any strategy.

Each reply is replaced by the mean of the n - f replies that are nearest to it, itself among them. Where sites are
unlike, honest replies lie far apart, and a liar hides between them: mixed, they lie close together. Who is near is
judged by the updates of the parameters, in float64; buffers are not mixed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from .arrays import flat, view
from .distances import nearest_to_each, squared_distances
from .dtypes import array, wide

_PIECE = 1 << 15  # numbers of each reply at a time


def mix(records: Sequence[ArrayRecord], model: ArrayRecord, names: Sequence[str], malicious: int) -> None:
    """Put into each reply, for these arrays, the mean of its neighbourhood; ``malicious`` replies are not in one.

    Numbers of sixteen bits become float32. The replies are used up array by array, so that there is one copy of a
    single array at a time.
    """
    near = nearest_to_each(squared_distances(records, model, names), max(1, len(records) - malicious))
    for name in names:
        first = view(records[0][name])
        rows = [_own_numbers(record.pop(name)) for record in records]
        for start in range(0, rows[0].size, _PIECE):
            part = slice(start, start + _PIECE)
            piece = np.stack([row[part].astype(np.result_type(row, np.float64)) for row in rows])
            for row, neighbours in zip(rows, near, strict=True):
                row[part] = piece[neighbours].mean(axis=0)
        for record in records:  # popped and put back in the order of the names
            row = rows.pop(0)
            made = row.view(first.dtype) if np.iscomplexobj(first) else row
            record[name] = array(made.reshape(first.shape))


def _own_numbers(of: Array) -> NDArray:
    """Return a copy of an array's numbers, in a row, that can be computed with."""
    return np.array(wide(flat(of)))
