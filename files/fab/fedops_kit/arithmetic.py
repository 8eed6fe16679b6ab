# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How the replies of a round become a model: by Flower's class, and by what is done before it and after it.

A training keeps the arithmetic that it began with, to its end: a checkpoint says which. The first release handed whole
replies to Flower's class, and took what it returned. The second way takes buffers out first and combines them by
themselves, has Krum and Bulyan judge updates in float64, bounds what a site can claim, and adds numbers of sixteen bits
up as float32. Without any of these both end with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from flwr.app import Array, ArrayRecord, Message, MetricRecord
from flwr.serverapp.strategy import Bulyan, FedAdam, FedAvg, QFedAvg, Strategy
from flwr.serverapp.strategy.fedopt import FedOpt

from . import distances
from .arrays import view
from .buffers import Rule, forgotten, names_of
from .dtypes import as_complex, as_made, as_reals, wide, widened
from .errors import RunFailedError
from .foreign import same_layout
from .guards import ARRAYS, METRICS, WEIGHT
from .handing import divided, fair, number_of, of_chosen
from .knowledge._config.strategies import AVERAGED, CHOSEN, MIXED, STRATEGIES
from .knowledge._config.strategies import Strategy as Row
from .mapped import record_of
from .mixing import mix
from .private import Private, check_model
from .publish import logger
from .records import array_records
from .weights import Weighting

FIRST, NEWEST = 1, 2
PAPER = "paper"  # fl_variant

# A round so late that the correction of FedAdam's bias, by powers of beta, is gone: the paper has none.
_LATE = 1 << 62


class Aggregated(NamedTuple):
    """What became of a round."""

    arrays: ArrayRecord | None
    metrics: MetricRecord | None
    kept: Sequence[Message] | None = None  # the replies that the strategy has chosen; None: it does not choose


@dataclass(frozen=True)
class Arithmetic:
    """The first way: all of it is left to Flower's class."""

    number: int = FIRST
    buffers: frozenset[str] = frozenset()
    private: Private | None = None

    def parameters(self, model: ArrayRecord) -> list[str]:
        """Return the arrays that a strategy sees."""
        return [name for name in model if name not in self.buffers]

    def seen(self, model: ArrayRecord) -> ArrayRecord:
        """Return a model as a strategy sees it."""
        return record_of((name, self._as_seen(model[name])) for name in self.parameters(model))

    def prepare(self, strategy: Strategy) -> None:
        """Have a strategy, after its configure_train, remember no more of the model than it is to see."""

    def aggregate(
        self, strategy: Strategy, round_number: int, model: ArrayRecord, replies: Sequence[Message]
    ) -> Aggregated:
        """Make one model of the replies to this one."""
        return Aggregated(*strategy.aggregate_train(round_number, replies))

    def weigh(self, evaluations: Iterable[Message]) -> None:
        """Write into evaluations what they count."""

    def cast(self, array: Array, dtype: str) -> Array:
        """Return what a strategy has made in the type of the model."""
        if array.dtype == dtype:
            return array
        values = array.numpy()
        if np.issubdtype(np.dtype(dtype), np.integer):
            values = np.rint(values)
        return Array(np.asarray(values.astype(dtype)))

    def like(self, arrays: ArrayRecord, model: ArrayRecord) -> ArrayRecord:
        """Return arrays in the order and dtypes of the model.

        FedAdam's step is a NumPy float64, which would turn a float32 model into float64 and double every message.
        """
        if not same_layout(arrays, model):
            raise RunFailedError(
                f"The strategy's arrays {_shapes(arrays)} are not those of the model {_shapes(model)}."
                " Choose another fl_strategy."
            )
        return ArrayRecord({name: self.cast(arrays[name], model[name].dtype) for name in model})

    def _as_seen(self, array: Array) -> Array:
        return array


@dataclass(frozen=True)
class SecondArithmetic(Arithmetic):
    """The second way."""

    number: int = NEWEST
    weighting: Weighting = field(default_factory=Weighting)
    variant: str = ""
    mixed: int = 0  # liars that nearest-neighbour mixing withstands; 0: nothing is mixed

    def prepare(self, strategy: Any) -> None:
        """Take the buffers out of what the strategy keeps of the model, and let sixteen bits be float32."""
        kept = getattr(strategy, "current_arrays", None)
        if isinstance(kept, ArrayRecord):
            strategy.current_arrays = self.seen(kept)
        elif isinstance(kept, Mapping):
            strategy.current_arrays = {
                name: as_reals(wide(values)) for name, values in kept.items() if name not in self.buffers
            }
        if isinstance(strategy, FedOpt) and self.variant == PAPER and not strategy.v_t:
            arrays = strategy.current_arrays or {}
            strategy.v_t = {name: np.full_like(values, strategy.tau**2) for name, values in arrays.items()}

    def aggregate(
        self, strategy: Strategy, round_number: int, model: ArrayRecord, replies: Sequence[Message]
    ) -> Aggregated:
        """Make one model of the replies, whose contents are used up by it."""
        valid = [reply for reply in replies if not reply.has_error()]
        apart = [{name: array_records(reply.content)[ARRAYS][name] for name in self.buffers} for reply in valid]
        for reply in valid:
            reply.content[ARRAYS] = self.seen(array_records(reply.content)[ARRAYS])
        protects = self.private if self.private and self.private.settings.is_central and valid else None
        short = protects.clip(_seen_of(valid), self.seen(model), self.parameters(model)) if protects else 0
        if self.mixed and valid:
            mix(_seen_of(valid), model, self.parameters(model), self.mixed)
        row = STRATEGIES.get(type(strategy).__name__)
        rule = row.buffers if row else AVERAGED
        chosen = self._chosen(strategy, model, valid) if rule == CHOSEN else None
        kept = [valid[index] for index in chosen] if chosen is not None else valid
        weights = self._count(kept, alike=self.variant == PAPER and type(strategy).__name__ == "MultiKrum")
        pieces = divided(strategy, valid)
        if protects and row and rule == AVERAGED:
            arrays, metrics = self._private_mean(strategy, round_number, valid, row, short)
        elif chosen is None:
            arrays, metrics = self._by_class(strategy, round_number, replies)
        else:
            arrays, metrics = of_chosen(strategy, round_number, replies, kept)
        if arrays is None:
            return Aggregated(None, None)
        if pieces:
            arrays = pieces.joined(arrays)
        if protects and row and rule != AVERAGED:
            arrays = protects.protect(round_number, arrays, row, len(valid), short)
        combine = Rule(
            rule,
            weights,
            range(len(valid)) if chosen is None else chosen,
            max(self.mixed, getattr(strategy, "num_malicious_nodes", 0)),
            getattr(strategy, "beta", 0.0),
        ).combine
        parameters = {name: _as_complex(array, model[name]) for name, array in arrays.items()}
        names = [name for name in model if name in self.buffers]
        # Counters and masks tell of the data as well: where that is protected, those of the model stay.
        others = {name: model[name] for name in names} if self.private else combine(model, apart, names)
        made = {**parameters, **others}
        return Aggregated(ArrayRecord(made), metrics, None if chosen is None else kept)

    def _private_mean(
        self, strategy: Any, round_number: int, replies: Sequence[Message], row: Row, short: int
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Add the noise to the mean, and let a strategy step by that: what it carries on has no more of the data."""
        assert self.private
        arrays, metrics = FedAvg.aggregate_train(strategy, round_number, replies)
        if arrays is None:
            return None, metrics
        arrays = self.private.protect(round_number, arrays, row, len(replies), short)
        if row.state:
            mean = replies[0]
            mean.content[ARRAYS] = arrays
            mean.content.metric_records[METRICS][WEIGHT] = 1.0
            arrays = self._by_class(strategy, round_number, [mean])[0]
        return arrays, metrics

    def cast(self, array: Array, dtype: str) -> Array:
        """Return what a strategy has made in the type of the model, rounded once."""
        return array if array.dtype == dtype else as_made(array.numpy(), dtype)

    def weigh(self, evaluations: Iterable[Message]) -> None:
        """Write into evaluations what they count: no more than a training of the same site would."""
        self._count(evaluation for evaluation in evaluations if not evaluation.has_error())

    def _as_seen(self, array: Array) -> Array:
        return widened(array)

    def _chosen(self, strategy: Any, model: ArrayRecord, replies: Sequence[Message]) -> list[int]:
        """Return which replies the strategy takes, by their updates."""
        malicious, one_by_one = strategy.num_malicious_nodes, False
        count = getattr(strategy, "num_nodes_to_select", 0)
        if isinstance(strategy, Bulyan):
            count, one_by_one = len(replies) - 2 * malicious, self.variant == PAPER
        records = [array_records(reply.content)[ARRAYS] for reply in replies]
        apart = distances.squared_distances(records, model, self.parameters(model))
        select = distances.nearest_one_by_one if one_by_one else distances.nearest
        return select(apart, malicious, max(count, 0))

    def _count(self, replies: Iterable[Message], alike: bool = False) -> list[float]:
        """Write into replies what they count, and return it."""
        records = [reply.content.metric_records[METRICS] for reply in replies]
        claims = [number_of(record, WEIGHT) for record in records]
        weights: Sequence[float] = [1] * len(claims) if alike else self.weighting.weights(claims)
        for record, claim, weight in zip(records, claims, weights, strict=True):
            if weight != claim:
                record[WEIGHT] = weight
        return list(weights)

    def _by_class(
        self, strategy: Any, round_number: int, replies: Sequence[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        if isinstance(strategy, QFedAvg):
            return fair(strategy, round_number, replies)
        late = isinstance(strategy, FedAdam) and self.variant == PAPER
        arrays, metrics = strategy.aggregate_train(_LATE if late else round_number, replies)
        return arrays, metrics


def arithmetics(model: ArrayRecord, buffers: Iterable[str], values: Mapping[str, Any]) -> dict[int, Arithmetic]:
    """Return every way to compute, by its number, for a model and the values of a training's variables."""
    try:
        found = names_of(model, buffers)
    except ValueError as error:
        raise RunFailedError(f"{error}. Correct buffers() in task.py.") from None
    if not any(view(array).size for name, array in model.items() if name not in found):
        raise RunFailedError(
            "The model holds no parameters: what arrays it has are empty, integers, booleans, or named by buffers() in"
            " task.py. Leave those out of buffers() that are trained."
        )
    shares = float(values["max_weight_share"]) or STRATEGIES[str(values["strategy"])].most_shares
    weighting = Weighting(str(values["weighting"]), int(values["max_examples"]), shares)
    private = Private.of(values)
    if private:
        check_model(model, found)
    second = SecondArithmetic(NEWEST, found, private, weighting, str(values["variant"]), int(values[MIXED]))
    return {FIRST: Arithmetic(), NEWEST: second}


def tell_of_buffers(model: ArrayRecord, buffers: frozenset[str], number: int) -> None:
    """Warn, once in a run, of buffers that are treated as parameters."""
    if number == FIRST and buffers:
        logger.warning(
            "This training began with an earlier release, and computes as that did, to its end: %s of the model's"
            " arrays, %s among them, are buffers (running statistics, counters, masks) and are treated as parameters."
            " To have them averaged by themselves, give the training another fl_training_name, and its newest"
            " checkpoint as fl_initial_checkpoint; or set fl_resume to never, which begins anew.",
            len(buffers),
            min(buffers),
        )
    elif number != FIRST and (names := forgotten(model, buffers)):
        logger.warning(
            "%s is called as PyTorch calls the running statistics of a batch normalization, and is treated as a"
            " parameter (%s such arrays). Name them in buffers() of task.py: a strategy must not step along them, nor"
            " judge by them.",
            names[0],
            len(names),
        )


def _seen_of(replies: Iterable[Message]) -> list[ArrayRecord]:
    return [array_records(reply.content)[ARRAYS] for reply in replies]


def _shapes(arrays: ArrayRecord) -> str:
    return ", ".join(f"{name}{list(array.shape)}" for name, array in arrays.items())


def _as_complex(array: Array, before: Array) -> Array:
    return Array(as_complex(array.numpy(), view(before))) if "c" in before.dtype else array
