# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is held of the replies to a strategy that the kit did not make, from ClientApps that know nothing of the kit.

Where Flower's own code averages the replies, they must be like the model, or like one another. Where the app's own code
takes them, nobody else knows what they should be: only what cannot be read, or holds no numbers, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flwr.app import ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy

from . import guards
from .arrays import is_finite, view
from .knowledge._config.strategies import STRATEGIES
from .knowledge._config.strategies import Strategy as Row
from .pulling import Bound

_MORE_METRICS = 32  # times those of our own app: nobody has told others how many there may be
FLOWER = "flwr."  # where the modules of Flower are

Likeness = tuple  # of a reply: what those that are averaged must have in common


def inner(strategy: Strategy, above: tuple[int, ...] = ()) -> Iterator[Strategy]:
    """Yield every strategy that this one holds, and what those hold, but for those above it, by their C(id())."""
    for dummy, layer in layers(strategy, seen=above):
        if layer is not strategy:
            yield layer


def layers(strategy: Strategy, path: str = "", seen: tuple[int, ...] = ()) -> Iterator[tuple[str, Strategy]]:
    """Yield a strategy and all that it wraps, each with the attributes that lead to it."""
    yield path, strategy
    seen = (*seen, id(strategy))
    for name, value in list(getattr(strategy, "__dict__", {}).items()):
        if isinstance(value, Strategy) and id(value) not in seen:
            yield from layers(value, f"{path}{name}/", seen)


def known_row(strategy: Strategy) -> Row | None:
    """Return what is known of the first class of Flower that a strategy is made of; None where it is none we know."""
    own = next((kind for kind in type(strategy).__mro__ if is_flowers(kind)), None)
    return STRATEGIES.get(own.__name__) if own else None


def is_flowers(kind: type) -> bool:
    """Tell whether a class is Flower's own."""
    return kind.__module__.startswith(FLOWER)


def averages(strategy: Strategy, method: str, above: tuple[int, ...] = ()) -> bool:
    """Tell whether Flower's own code makes one of all replies; a method that hands them on to such counts as such."""
    wrapped = list(inner(strategy, above))
    for kind in type(strategy).__mro__:
        own = vars(kind).get(method)
        if own is None or kind is Strategy:
            continue
        if is_flowers(kind):
            if wrapped:
                break
            return "Xgb" not in kind.__name__  # joins trees, of any number and size
        if method not in getattr(getattr(own, "__code__", None), "co_names", ()):
            return False
    return bool(wrapped) and all(averages(each, method, (*above, id(strategy))) for each in wrapped)


@dataclass(frozen=True)
class ForeignCheck:
    """What a reply must be; it says what is wrong, and nothing when all is well."""

    averaged: bool  # by Flower's own code
    weight: str = ""  # the metric that it is averaged by
    model: ArrayRecord | None = None  # what was to be trained; None: an evaluation
    loss_key: str = ""  # the metric that the strategy weights by, where it does
    max_update_norm: float = 0.0  # 0: no bound

    def __call__(self, content: RecordDict) -> str:
        """Say what is wrong with a reply."""
        return (
            self._size_flaw(content)
            or self._records_flaw(content)
            or next(filter(None, map(self._metrics_flaw, content.metric_records.values())), "")
            or next(filter(None, map(self._arrays_flaw, content.array_records.values())), "")
        )

    def likeness(self, content: RecordDict) -> Likeness:
        """Return what replies must have in common that are averaged; others, nothing."""
        if not self.averaged:
            return ()
        return (
            tuple(
                tuple((name, array.dtype, tuple(array.shape)) for name, array in record.items())
                for record in content.array_records.values()
            ),
            tuple(sorted(map(guards.lengths, content.metric_records.values()))),
        )

    def _size_flaw(self, content: RecordDict) -> str:
        if self.model is None:
            return ""
        arrays = [array for record in content.array_records.values() for array in record.values()]
        largest = Bound(sum(len(array.data) for array in self.model.values())).numbers
        return "" if sum(len(array.data) for array in arrays) <= largest else "it is too large for the model"

    def _records_flaw(self, content: RecordDict) -> str:
        if not self.averaged:
            return ""
        if self.model is not None and len(content.array_records) != 1:
            return f"it holds {len(content.array_records)} models but must hold one"
        if len(content.metric_records) != 1:
            return f"it holds {len(content.metric_records)} records of metrics but must hold one"
        return ""

    def _metrics_flaw(self, metrics: MetricRecord) -> str:
        if flaw := guards.metrics_flaw(metrics, _MORE_METRICS):
            return flaw
        if self.averaged and (
            flaw := guards.number_flaw(
                self.weight, metrics.get(self.weight), lambda weight: 0 <= weight <= guards.MOST_EXAMPLES, "at least 0"
            )
        ):
            return flaw
        if flaw := guards.loss_flaw(self.loss_key, metrics):
            return flaw
        return guards.finite_flaw(metrics) if self.model is None and self.averaged else ""

    def _arrays_flaw(self, arrays: ArrayRecord) -> str:
        model = self.model if self.model is not None else ArrayRecord()
        if broken := unsound(arrays, model):
            return f"the array {broken[0]!r} holds NaN or infinite numbers"
        return guards.norm_flaw(arrays, model, self.max_update_norm) if same_layout(arrays, model) else ""


def same_layout(arrays: ArrayRecord, model: ArrayRecord) -> bool:
    """Tell whether two sets of arrays have the same names and shapes."""
    return arrays.keys() == model.keys() and all(arrays[name].shape == model[name].shape for name in model)


def unsound(arrays: ArrayRecord, model: ArrayRecord) -> list[str]:
    """Name the arrays that hold NaN or infinite numbers, but for those of which that is true in the model as well."""
    broken = [name for name, array in arrays.items() if not is_finite(view(array))]
    # A mask may be made of infinite numbers.
    return [name for name in broken if name not in model or is_finite(view(model[name]))]


def weight_of(strategy: Strategy) -> str:
    """Return the metric that replies are averaged by."""
    found = next((key for dummy, layer in layers(strategy) if (key := getattr(layer, "weighted_by_key", ""))), "")
    return found if isinstance(found, str) else ""


def loss_of(strategy: Strategy) -> str:
    """Return the metric that a strategy weights sites by, such as QFedAvg; empty where it does not."""
    found = next((key for dummy, layer in layers(strategy) if (key := getattr(layer, "train_loss_key", ""))), "")
    return found if isinstance(found, str) else ""
