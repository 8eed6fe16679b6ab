# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Large arrays in pieces, for strategies of Flower that hold an array of every reply at a time.

A median, a trimmed mean and the end of Bulyan treat each number by itself: of a piece of the arrays they make the same
bytes as of the whole. So what they hold is a piece of each reply, however large an array and however many the replies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from .arrays import view
from .dtypes import wide

TOGETHER = 1 << 22  # numbers of all replies that are computed with at a time


class _Piece(Array):
    """A part of an array, which is read where it lies and cannot be written to."""

    def __init__(self, values: NDArray) -> None:
        self.dtype, self.shape, self.stype, self.data = str(values.dtype), values.shape, "", b""
        self.__dict__["_values"] = values

    def numpy(self) -> NDArray:
        """Return the numbers; those of sixteen bits as float32."""
        return wide(self.__dict__["_values"])


@dataclass(frozen=True)
class Pieces:
    """How the arrays of a model are divided."""

    shapes: Mapping[str, tuple[int, ...]]  # of all arrays
    counts: Mapping[str, int]  # pieces, by the name of an array; not one that stays whole

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Array]]) -> Pieces:
        """Divide what is large, and lies in every reply as C has it: sums depend on how an array lies."""
        first, largest = records[0], max(2, TOGETHER // len(records))
        return cls(
            {name: tuple(array.shape) for name, array in first.items()},
            {
                name: (view(array).size + largest - 1) // largest
                for name, array in first.items()
                if view(array).size > largest and all(view(each[name]).flags.c_contiguous for each in records)
            },
        )

    def divided(self, record: Mapping[str, Array]) -> ArrayRecord:
        """Return a record of pieces in the place of arrays."""
        made = ArrayRecord()
        for number, (name, array) in enumerate(record.items()):
            if name in self.counts:
                # Of a single number in a row NumPy adds in another order.
                for index, piece in enumerate(np.array_split(view(array).reshape(-1), self.counts[name])):
                    made[f"{number}/{index}"] = _Piece(piece)
            else:
                made[f"{number}"] = array
        return made

    def joined(self, record: ArrayRecord) -> ArrayRecord:
        """Return the arrays that pieces make; those given are used up."""
        made = ArrayRecord()
        for number, (name, shape) in enumerate(self.shapes.items()):
            if name not in self.counts:
                made[name] = record.pop(f"{number}")
            else:
                names = [f"{number}/{index}" for index in range(self.counts[name])]
                made[name] = Array(_joined(names, record, shape))
        return made


def _joined(names: Iterable[str], record: ArrayRecord, shape: tuple[int, ...]) -> NDArray:
    whole: NDArray | None = None
    end = 0
    for name in names:
        piece = record.pop(name).numpy()
        if whole is None:
            whole = np.empty(shape, piece.dtype)
        whole.reshape(-1)[end : end + piece.size] = piece
        end += piece.size
    assert whole is not None
    return whole
