# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is held of the replies to a strategy that the kit did not make, from ClientApps that know nothing of the kit.

Where Flower's own code takes the replies, they must be what it ends the run over otherwise: like the model, or like one
another. Where the app's own code takes them, nobody else knows what they should be: only what cannot be read, is not
what it says that it is, or holds no numbers, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy import Strategy
from flwr.serverapp.strategy.strategy_utils import aggregate_bagging, aggregate_metricrecords
from numpy.typing import NDArray

from . import flaws, guards
from .arrays import is_finite, view
from .bound import Bound
from .knowledge._config.strategies import CHOSEN, STRATEGIES
from .knowledge._config.strategies import Strategy as Row
from .mapped import size
from .records import array_records
from .storable import name_flaw

_MORE_METRICS = 32  # times those of our own app: nobody has told others how many there may be
_TREES = "0"  # the array that Flower looks for
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


def is_flowers_own(strategy: Strategy, method: str) -> bool:
    """Tell whether no code of the app has a say in what a method returns."""
    return all(
        is_flowers(next(kind for kind in type(layer).__mro__ if method in vars(kind)))
        for dummy, layer in layers(strategy)
    )


# What Flower's own code makes of all replies: one model by numbers, one of their trees, or the only reply as it is.
AVERAGED, JOINED, PASSED_ON = "averaged", "joined", "passed on"
_OF_TREES = {"FedXgbBagging": JOINED, "FedXgbCyclic": PASSED_ON}


def averages(strategy: Strategy, method: str) -> bool:
    """Tell whether Flower's own code makes one of all replies; a method that hands them on to such counts as such."""
    return taken(strategy, method) == AVERAGED


def taken(strategy: Strategy, method: str, above: tuple[int, ...] = ()) -> str:
    """Return what Flower's own code makes of all replies; nothing where code of the app takes them."""
    wrapped = list(inner(strategy, above))
    for kind in type(strategy).__mro__:
        own = vars(kind).get(method)
        if own is None or kind is Strategy:
            continue
        if is_flowers(kind):
            if wrapped:
                break
            return _OF_TREES.get(kind.__name__, AVERAGED)
        if method not in getattr(getattr(own, "__code__", None), "co_names", ()):
            return ""
    ways = {taken(each, method, (*above, id(strategy))) for each in wrapped}
    return ways.pop() if len(ways) == 1 else ""


def means(strategy: Strategy, of_all: bool) -> bool:
    """Tell whether the metrics of a training are Flower's own means over those replies that are known to count.

    ``of_all``: nobody has said which they are, so that a class of Flower's that chooses some does not count as such.
    """
    if not averages(strategy, "aggregate_train"):
        return False
    flowers = [layer for dummy, layer in layers(strategy) if known_row(layer)]
    chosen = [row for layer in flowers if (row := known_row(layer)) and row.buffers == CHOSEN]
    ways = [getattr(layer, "train_metrics_aggr_fn", aggregate_metricrecords) for layer in flowers]
    return all(way is aggregate_metricrecords for way in ways) and not (of_all and chosen)


@dataclass(frozen=True)
class ForeignCheck:
    """What a reply must be; it says what is wrong, and nothing when all is well."""

    taken: str  # what Flower's own code makes of all; nothing: the app's own takes them
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
            or next(filter(None, map(self._arrays_flaw, array_records(content).values())), "")
        )

    def likeness(self, content: RecordDict) -> Likeness:
        """Return what replies must have in common that are averaged; others, nothing."""
        if not self.taken:
            return ()
        return (
            tuple(
                (key, tuple((name, array.dtype, tuple(array.shape)) for name, array in record.items()))
                for key, record in array_records(content).items()
                if self.taken == AVERAGED
            ),
            # Flower looks for records and metrics of the first reply in all of them, by their names.
            tuple(array_records(content)) if self.model is not None else (),
            tuple((key, guards.lengths(record)) for key, record in content.metric_records.items()),
        )

    def _size_flaw(self, content: RecordDict) -> str:
        if self.model is None:
            return ""
        arrays = [array for record in array_records(content).values() for array in record.values()]
        largest = Bound(sum(map(size, self.model.values()))).numbers
        return "" if sum(map(size, arrays)) <= largest else "it is too large for the model"

    def _records_flaw(self, content: RecordDict) -> str:
        if not self.taken:
            return ""
        if self.model is not None and len(array_records(content)) != 1:
            return f"it holds {len(array_records(content))} models but must hold one"
        if len(content.metric_records) != 1:
            return f"it holds {len(content.metric_records)} records of metrics but must hold one"
        return ""

    def _metrics_flaw(self, metrics: MetricRecord) -> str:
        if flaw := flaws.metrics_flaw(metrics, _MORE_METRICS):
            return flaw
        if self.taken and (flaw := flaws.weight_flaw(self.weight, metrics)):
            return flaw
        if flaw := flaws.loss_flaw(self.loss_key, metrics):
            return flaw
        return flaws.finite_flaw(metrics) if self.model is None and self.taken else ""

    def _arrays_flaw(self, arrays: ArrayRecord) -> str:
        model = self.model if self.model is not None else ArrayRecord()
        for name, array in arrays.items():
            if flaw := name_flaw(name):
                return f"the array {name!r} {flaw}"
            if flaw := flaws.claim_flaw(name, array):
                return flaw
        largest = flaws.LARGEST if self.taken == AVERAGED else math.inf
        if broken := unsound(arrays, model, largest):
            return flaws.unsound_flaw(broken[0], view(arrays[broken[0]]))
        if self.taken == JOINED and self.model is not None and (flaw := _trees_flaw(arrays)):
            return flaw
        return flaws.norm_flaw(arrays, model, self.max_update_norm) if same_layout(arrays, model) else ""


def same_layout(arrays: ArrayRecord, model: ArrayRecord) -> bool:
    """Tell whether two sets of arrays have the same names and shapes."""
    return arrays.keys() == model.keys() and all(arrays[name].shape == model[name].shape for name in model)


def unsound(arrays: Mapping[str, Array], model: Mapping[str, Array], largest: float = math.inf) -> list[str]:
    """Name the arrays that hold NaN, infinite numbers or some beyond the largest, but for what the model holds too."""

    def has_the_same(name: str, values: NDArray) -> bool:
        """Tell whether it is so in the model: a mask may be made of infinite numbers, or of the largest there are."""
        known = view(model[name]) if name in model else None
        return known is not None and not is_finite(known, largest) and (is_finite(values) or not is_finite(known))

    found = ((name, view(array)) for name, array in arrays.items())
    return [name for name, values in found if not is_finite(values, largest) and not has_the_same(name, values)]


def _trees_flaw(arrays: ArrayRecord) -> str:
    """Have Flower join the trees of a reply with themselves: what it ends the run over it does so here."""
    if list(arrays) != [_TREES]:
        return f"it holds {len(arrays)} arrays but must hold one, named {_TREES}"
    trees = view(arrays[_TREES]).tobytes()
    aggregate_bagging(trees, trees)
    return ""


def weight_of(strategy: Strategy) -> str:
    """Return the metric that replies are averaged by."""
    found = next((key for dummy, layer in layers(strategy) if (key := getattr(layer, "weighted_by_key", ""))), "")
    return found if isinstance(found, str) else ""


def loss_of(strategy: Strategy) -> str:
    """Return the metric that a strategy weights sites by, such as QFedAvg; empty where it does not."""
    found = next((key for dummy, layer in layers(strategy) if (key := getattr(layer, "train_loss_key", ""))), "")
    return found if isinstance(found, str) else ""
