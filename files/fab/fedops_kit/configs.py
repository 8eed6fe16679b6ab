# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is sent along with the model. Flower hands one record from round to round, and strategies of others change it.

A learning rate that a strategy halves in every tenth round is kept nowhere else, so that a checkpoint has to hold it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from flwr.app import ConfigRecord
from numpy.typing import NDArray

CONFIG = "config/"  # before the names of records in the state of a checkpoint
TRAIN, EVALUATE = "train", "evaluate"

# What Flower's own strategies write anew in each round, of what they know themselves.
_RENEWED_KEYS = ("server-round", "proximal-mu", "clipping_norm")
_BYTES = "bytes"

Values = Mapping[str, Any]


@dataclass
class RoundConfigs:
    """The records of one run."""

    state: Mapping[str, NDArray] = field(default_factory=dict)  # of the checkpoint that it goes on from
    _given: dict[str, Values] = field(default_factory=dict)  # by the app
    _before: dict[str, Values] = field(default_factory=dict)  # the newest round
    _now: dict[str, ConfigRecord] = field(default_factory=dict)
    _settled: dict[str, Values] = field(default_factory=dict)  # after the newest round that made a model

    def begin(self, name: str, record: ConfigRecord) -> None:
        """See a record before the strategy does: in the first round of a run, what was changed before is changed."""
        if name not in self._given:
            self._given[name] = _copied(record)
            if CONFIG + name in self.state:
                changed, gone = read_config(self.state[CONFIG + name])
                _fill(record, {key: value for key, value in {**record, **changed}.items() if key not in gone})
        self._before[name], self._now[name] = _copied(record), record

    def again(self, name: str) -> None:
        """Undo what the strategy has changed in a round that is repeated."""
        _fill(self._now[name], self._before[name])

    def settle(self) -> None:
        """Remember what the records are now that a round has made a model."""
        self._settled = {name: _copied(record) for name, record in self._now.items()}

    def capture(self) -> dict[str, NDArray]:
        """Return what is not as the app gave it, by record."""
        found = {}
        for name, values in self._settled.items():
            given = self._given[name]
            lasting = ((key, value) for key, value in values.items() if key not in _RENEWED_KEYS)
            changed = [(key, value) for key, value in lasting if key not in given or _text(given[key]) != _text(value)]
            gone = [key for key in given if key not in values]
            if changed or gone:
                found[CONFIG + name] = np.frombuffer(_text([changed, gone]).encode(), np.uint8)
        return found


def read_config(array: NDArray) -> tuple[ConfigRecord, list[str]]:
    """Return what was changed in a record, and which keys are gone, from the state of a checkpoint.

    Others may have written it.

    :raises ValueError: when it holds nothing of the kind.
    """
    try:
        changed, gone = json.loads(np.asarray(array, np.uint8).tobytes(), object_hook=_unhidden)
        return ConfigRecord(dict(changed)), [str(key) for key in gone]
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"what was sent along with the model cannot be read: {error}") from None


def _copied(record: Values) -> Values:
    return copy.deepcopy(dict(record))


def _fill(record: ConfigRecord, values: Values) -> None:
    record.clear()
    record.update(_copied(values))


def _text(values: object) -> str:
    return json.dumps(values, default=lambda value: {_BYTES: value.hex()})


def _unhidden(found: Mapping[str, str]) -> bytes:
    return bytes.fromhex(found[_BYTES])
