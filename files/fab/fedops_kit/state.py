# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a strategy carries from round to round, which must survive an interruption.

It is known of Flower's own classes, and so of what is made of them: by subclassing, or by wrapping. What else a
strategy carries it says itself, by two functions. Where it does not, a change of its attributes gives it away.
"""

from __future__ import annotations

import random
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.serverapp.strategy import Strategy
from numpy.typing import NDArray

from .configs import CONFIG, read_config
from .errors import RunFailedError
from .foreign import FLOWER, is_flowers, known_row, layers
from .knowledge._config.strategies import ARRAY_RECORD, LISTED
from .mapped import lying

State = dict[str, NDArray]
Capture = Callable[[], Mapping[str, NDArray]]
Restore = Callable[[State], None]

NUMBER, NUMBERED = "number", "numbered"  # a single one; whole numbers by whole numbers

OWN = "own/"  # what a strategy says itself
_KEPT = "but what a checkpoint keeps are names and arrays of numbers."

# Of Flower's classes that no variable chooses: the attributes that are carried on, and how.
_OTHERS: Mapping[str, Mapping[str, str]] = {
    "DifferentialPrivacyClientSideAdaptiveClipping": {"clipping_norm": NUMBER},
    "DifferentialPrivacyServerSideAdaptiveClipping": {"clipping_norm": NUMBER},
    "FedXgbCyclic": {"registered_nodes": NUMBERED},
}
# Those draw noise that nobody may know before, so that no run draws the same again.
_NOISY = "DifferentialPrivacy"
# What they compute anew in each round.
_RENEWED = ("current_arrays", "current_bst")
_DEEPEST, _MOST = 3, 1000  # of what is looked at for changes


def capture(strategy: Strategy) -> State:
    """Return the arrays that the strategy needs in the next round, named by attribute and array."""
    state: State = {}
    for path, attribute, kind, layer in _kept(strategy):
        value = getattr(layer, attribute)
        if isinstance(value, ArrayRecord):
            value = {name: array.numpy() for name, array in value.items()}
        elif isinstance(value, list):
            value = {str(index): array for index, array in enumerate(value)}
        elif kind == NUMBER:
            value = {"value": value}
        for name, array in (value or {}).items():
            state[f"{path}{attribute}/{name}"] = np.asarray(array)
    return state


def restore(strategy: Strategy, state: State) -> None:
    """Give the strategy back what ``capture`` took; their order is kept."""
    for path, attribute, kind, layer in _kept(strategy):
        prefix = f"{path}{attribute}/"
        arrays = {name[len(prefix) :]: array for name, array in state.items() if name.startswith(prefix)}
        if arrays:
            setattr(layer, attribute, _as_kept(kind, arrays))


def check_state(strategy: Strategy, model: ArrayRecord, state: State, has_own: bool = False) -> None:
    """Raise ValueError when a state is not one that ``capture`` can have taken beside such a model."""
    shapes: dict[str, tuple[int, ...]] = {}
    numbered = []
    for path, attribute, kind, _layer in _kept(strategy):
        if kind == NUMBER:
            shapes[f"{path}{attribute}/value"] = ()
        elif kind == NUMBERED:
            numbered.append(f"{path}{attribute}/")
        else:
            for index, (name, array) in enumerate(model.items()):
                shapes[f"{path}{attribute}/{index if kind == LISTED else name}"] = array.shape
    for name, values in state.items():
        if (has_own and name.startswith(OWN)) or (name.startswith(tuple(numbered)) and values.shape == ()):
            continue
        if name.startswith(CONFIG):
            read_config(values)
            continue
        if name not in shapes:
            raise ValueError(f"{type(strategy).__name__} keeps no {name!r}")
        if values.shape != shapes[name]:
            raise ValueError(f"{name!r} has the shape {list(values.shape)}, but the model {list(shapes[name])}")


def draws_noise(strategy: Strategy) -> bool:
    """Tell whether a strategy adds noise to the model, which must be another one each time."""
    return any(_NOISY in kind.__name__ for dummy, layer in layers(strategy) for kind in type(layer).__mro__)


@dataclass
class KeptState:
    """The state of a strategy with what it says itself."""

    strategy: Strategy
    own_capture: Capture | None = None
    own_restore: Restore | None = None
    changed: set[str] = field(default_factory=set)  # attributes that no checkpoint holds, and that rounds change
    _seen: dict[str, object] | None = None

    def __post_init__(self) -> None:
        if (self.own_capture is None) != (self.own_restore is None):
            raise TypeError("keep() takes capture and restore together: what one returns, the other is given.")

    @property
    def is_known(self) -> bool:
        """Tell whether all that is carried on is kept, as far as anybody knows before the first round."""
        return self.own_capture is not None or not any(True for dummy in self._unknown())

    def capture(self) -> State:
        """Return everything that the next round needs beside the model."""
        state = capture(self.strategy)
        if self.own_capture is not None:
            own: object = self.own_capture()
            if not isinstance(own, Mapping):
                raise RunFailedError(f"capture() has returned {type(own).__name__}, {_KEPT}")
            state.update({OWN + str(name): _own(name, value) for name, value in own.items()})
        return state

    def restore(self, state: State) -> None:
        """Give it back."""
        restore(self.strategy, state)
        own = {name[len(OWN) :]: values for name, values in state.items() if name.startswith(OWN)}
        if own and self.own_restore is not None:
            self.own_restore(own)

    def check(self, model: ArrayRecord, state: State) -> None:
        """Raise ValueError when a state is none of this strategy's."""
        check_state(self.strategy, model, state, self.own_restore is not None)

    def watch(self) -> list[str]:
        """Return attributes that have changed since the last look, are in no checkpoint, and were not told before."""
        if self.own_capture is not None:
            return []
        now = {name: _trace(value, own) for name, value, own in self._unknown()}
        before, self._seen = self._seen, now
        if before is None:
            return []
        news = {name for name, trace in now.items() if name not in before or before[name] != trace} - self.changed
        self.changed |= news
        return sorted(news)

    def _unknown(self) -> Iterator[tuple[str, object, str]]:
        """Yield the attributes, of which nothing is known, of classes that are not Flower's, with their package."""
        kept = {found[:2] for found in _kept(self.strategy)}
        for path, layer in layers(self.strategy):
            if is_flowers(type(layer)):
                continue
            for name, value in _attributes(layer).items():
                if (path, name) not in kept and name not in _RENEWED and not isinstance(value, Strategy):
                    yield path + name, value, _package(layer)


def _own(name: str, value: object) -> NDArray:
    with suppress(ValueError):  # of lists of different lengths
        array = np.asarray(value)
        if isinstance(name, str) and name and array.dtype.kind in "biufc":
            return array
    raise RunFailedError(f"capture() has returned {name!r} as {type(value).__name__}, {_KEPT}")


def _kept(strategy: Strategy) -> Iterator[tuple[str, str, str, Strategy]]:
    """Yield the attributes in which a strategy, or one that it wraps, carries something, and how it does."""
    for path, layer in layers(strategy):
        row = known_row(layer)
        kinds = dict(row.state) if row else {}
        for name in (kind.__name__ for kind in type(layer).__mro__ if kind.__module__.startswith(FLOWER)):
            kinds.update(_OTHERS.get(name, {}))
        for attribute, kind in kinds.items():
            if hasattr(layer, attribute):
                yield path, attribute, kind, layer


def _as_kept(kind: str, arrays: State) -> State | list[NDArray] | ArrayRecord | float | dict[int, int]:
    """Return arrays in the container that Flower keeps them in."""
    if kind == LISTED:
        return list(arrays.values())
    if kind == ARRAY_RECORD:
        return ArrayRecord({name: Array(array) for name, array in arrays.items()})
    if kind == NUMBER:
        return float(arrays["value"])
    if kind == NUMBERED:
        return {int(name): int(array) for name, array in arrays.items()}
    return arrays


def _attributes(it: object) -> dict[str, object]:
    """Return what an object holds, by the names of its attributes."""
    slots = [kind.__dict__.get("__slots__", ()) for kind in type(it).__mro__]
    names = [name for each in slots for name in ((each,) if isinstance(each, str) else each)]
    return {**{name: getattr(it, name) for name in names if hasattr(it, name)}, **getattr(it, "__dict__", {})}


def _package(it: object) -> str:
    """Return the package, or the module, that the class of an object is from."""
    return type(it).__module__.partition(".")[0]


def _trace(value: object, own: str, depth: int = 0) -> object:
    """Return something that is another when a value has changed, as far as it can be told without much work.

    ``own`` is the package whose objects are looked into: those of libraries change whenever they are used.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return value
    if isinstance(value, np.ndarray):
        return value.shape, zlib.crc32(np.ascontiguousarray(value).view(np.uint8).data) if value.size else 0
    if isinstance(value, ArrayRecord):
        return tuple((name, zlib.crc32(lying(array))) for name, array in value.items())
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, (np.random.Generator, np.random.RandomState)):
        return repr(value.get_state() if isinstance(value, np.random.RandomState) else value.bit_generator.state)
    inside = value
    if isinstance(value, SimpleNamespace) or (_package(value) == own and not isinstance(value, type)):
        inside = _attributes(value) or value
    if depth < _DEEPEST and isinstance(inside, Mapping) and len(inside) <= _MOST:
        return tuple((str(key), _trace(item, own, depth + 1)) for key, item in inside.items())
    if depth < _DEEPEST and isinstance(inside, (list, tuple, deque)) and len(inside) <= _MOST:
        return tuple(_trace(item, own, depth + 1) for item in inside)
    if isinstance(inside, (set, frozenset, Mapping, list, tuple, deque)):
        return len(inside)
    return id(value)
