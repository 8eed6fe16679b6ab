# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The arrays that a strategy of Flower carries from round to round, which must survive an interruption."""

from __future__ import annotations

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

State = dict[str, NDArray]

# Flower's strategies that carry arrays from one round to the next, and in which attributes. What configure_train
# computes anew in each round (FedAdam's current_arrays) is not state. A test trains every strategy and compares.
_STATE: dict[str, tuple[str, ...]] = {
    "FedAdam": ("m_t", "v_t"),
    "FedAdagrad": ("m_t", "v_t"),
    "FedYogi": ("m_t", "v_t"),
    "FedAvgM": ("current_arrays", "momentum_vector"),
}

_LIST = "momentum_vector"  # kept as a list, whose arrays are named by their place


def capture(strategy: Strategy) -> State:
    """Return the arrays that the strategy needs in the next round, named by attribute and array."""
    state: State = {}
    for attribute in _STATE.get(type(strategy).__name__, ()):
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
    for attribute in _STATE.get(type(strategy).__name__, ()):
        prefix = attribute + "/"
        arrays = {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
        if arrays:
            setattr(strategy, attribute, _as_kept(attribute, arrays))


def check_state(strategy: Strategy, model: ArrayRecord, state: State) -> None:
    """Raise ValueError when a state is not one that ``capture`` can have taken beside such a model."""
    kind = type(strategy).__name__
    shapes = {
        f"{attribute}/{index if attribute == _LIST else name}": array.shape
        for attribute in _STATE.get(kind, ())
        for index, (name, array) in enumerate(model.items())
    }
    for name, values in state.items():
        if name not in shapes:
            raise ValueError(f"{kind} keeps no {name!r}")
        if values.shape != shapes[name]:
            raise ValueError(f"{name!r} has the shape {list(values.shape)}, but the model {list(shapes[name])}")


def _as_kept(attribute: str, arrays: State) -> State | list[NDArray] | ArrayRecord:
    """Return arrays in the container that Flower keeps them in."""
    if attribute == _LIST:
        return list(arrays.values())
    if attribute == "current_arrays":
        return ArrayRecord({name: Array(array) for name, array in arrays.items()})
    return arrays
