# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The arrays that a strategy of Flower carries from round to round, which must survive an interruption."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from .knowledge._config.strategies import ARRAY_RECORD, LISTED, STRATEGIES

State = dict[str, NDArray]


def capture(strategy: Strategy) -> State:
    """Return the arrays that the strategy needs in the next round, named by attribute and array."""
    state: State = {}
    for attribute in _kept(strategy):
        value = getattr(strategy, attribute)
        if isinstance(value, ArrayRecord):
            value = {name: array.numpy() for name, array in value.items()}
        if isinstance(value, list):
            value = {str(index): array for index, array in enumerate(value)}
        for name, array in (value or {}).items():
            state[f"{attribute}/{name}"] = np.asarray(array)
    return state


def restore(strategy: Strategy, state: State) -> None:
    """Give the strategy back what ``capture`` took; their order is kept."""
    for attribute, kind in _kept(strategy).items():
        prefix = attribute + "/"
        arrays = {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
        if arrays:
            setattr(strategy, attribute, _as_kept(kind, arrays))


def check_state(strategy: Strategy, model: ArrayRecord, state: State) -> None:
    """Raise ValueError when a state is not one that ``capture`` can have taken beside such a model."""
    shapes = {
        f"{attribute}/{index if kind == LISTED else name}": array.shape
        for attribute, kind in _kept(strategy).items()
        for index, (name, array) in enumerate(model.items())
    }
    for name, values in state.items():
        if name not in shapes:
            raise ValueError(f"{type(strategy).__name__} keeps no {name!r}")
        if values.shape != shapes[name]:
            raise ValueError(f"{name!r} has the shape {list(values.shape)}, but the model {list(shapes[name])}")


def _kept(strategy: Strategy) -> Mapping[str, str]:
    """Return the attributes in which a strategy carries arrays, and how it does."""
    name = type(strategy).__name__
    return STRATEGIES[name].state if name in STRATEGIES else {}


def _as_kept(kind: str, arrays: State) -> State | list[NDArray] | ArrayRecord:
    """Return arrays in the container that Flower keeps them in."""
    if kind == LISTED:
        return list(arrays.values())
    if kind == ARRAY_RECORD:
        return ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return arrays
