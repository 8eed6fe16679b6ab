# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How much a reply may bring, by the model that it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flwr.app import Message
from flwr.common.constant import FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE

from .mapped import size
from .records import array_records

_SLACK = 16 << 20  # bytes; a model of another shape, if it is no larger than this, is told as that
_RECORDS = 1 << 20  # bytes of metrics, names, and what else is no number of an array
_PER_ARRAY = 1 << 10  # bytes that say what an array is, its name aside
PER_CHUNK = 1 << 7  # bytes that name a piece, twice
_PIECES = 64  # of a reply without a model: itself, its records, and what a later release of Flower may add


@dataclass(frozen=True)
class Bound:
    """What a reply may have. Twice the model: one of doubles in the place of floats is told by name and type."""

    model: int  # bytes of the arrays of the model
    arrays: int = 0
    names: int = 0  # bytes of their names

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Bound:
        """Return what the replies to some messages may have; an evaluation answers with metrics alone."""
        training = next((each for each in messages if each.metadata.message_type.startswith("train")), None)
        if training is None:
            return cls(0)
        arrays = [item for record in array_records(training.content).values() for item in record.items()]
        return cls(
            sum(size(array) for dummy, array in arrays),
            len(arrays),
            sum(len(name.encode()) for name, dummy in arrays),
        )

    @property
    def numbers(self) -> int:
        """How many bytes of arrays."""
        return 2 * self.model + _SLACK

    @property
    def records(self) -> int:
        """How many bytes of everything else. JSON writes a character of a name in six."""
        return _RECORDS + 2 * (_PER_ARRAY * self.arrays + 6 * self.names + PER_CHUNK * self._chunks)

    @property
    def pieces(self) -> int:
        """How many pieces."""
        return _PIECES + 2 * (self.arrays + self._chunks)

    @property
    def _chunks(self) -> int:
        return self.arrays + self.numbers // FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE + 1
