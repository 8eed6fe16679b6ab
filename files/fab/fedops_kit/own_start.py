# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A strategy with a start() of its own, which is used: often a copy of Flower's with something between its lines.

Such code knows nothing of a run that resumes. It may set up anew what was restored, take fewer arguments than Flower's,
look at a model only now and then, and remember what it saw after that: a round is over when the next one begins.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Result, Strategy

from .exact import ExactStrategy
from .publish import logger
from .rounds import RoundKeeper


def is_flowers_start(strategy: Strategy) -> bool:
    """Tell whether a strategy is started by Flower's own code."""
    return type(strategy).start is Strategy.start


class OwnStart:
    """The rounds of a strategy that starts itself."""

    def __init__(
        self, exact: ExactStrategy, keeper: RoundKeeper, restore: Callable[[], None], look: Callable[[], None]
    ) -> None:
        """Take what gives the strategy back what a checkpoint has of it, and what sees what it has changed."""
        self._exact, self._keeper, self._restore, self._look = exact, keeper, restore, look
        self._made: ArrayRecord | None = None  # the newest model
        self._central: MetricRecord | None = None  # what was said of it

    def start(self, **arguments: Any) -> Result:
        """Start it, with the exact rounds in place of its own."""
        kind = type(self._exact.strategy)
        logger.info(
            "%s has a start() of its own, which is used: it may count rounds from 1 in what it writes.", kind.__name__
        )
        rounds: dict[str, Callable[..., Any]] = {
            "configure_train": self._begin_round,
            "aggregate_train": self._make,
            "configure_evaluate": self._exact.configure_evaluate,
            "aggregate_evaluate": self._exact.aggregate_evaluate,
        }
        methods: dict[str, Any] = {name: staticmethod(method) for name, method in rounds.items()}
        # Its code is the app's, and calls the strategy by ``self``: it gets one that has the same attributes.
        double: Any = object.__new__(type(kind.__name__, (kind,), methods))
        double.__dict__ = self._exact.strategy.__dict__
        result = double.start(**_taken(double.start, {**arguments, "evaluate_fn": self._evaluate}))
        if not isinstance(result, Result):  # as where nobody looks at it
            result = Result()
        result.arrays = result.arrays or self._made or ArrayRecord()
        self._end_round(result.arrays)
        return result

    def _begin_round(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        if self._exact.round.number == self._exact.rounds_done:
            self._restore()
            self._look()
        self._end_round(arrays)
        return self._exact.configure_train(server_round, arrays, config, grid)

    def _make(self, server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        arrays, metrics = self._exact.aggregate_train(server_round, replies)
        self._made = arrays or self._made
        return arrays, metrics

    def _evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        if server_round == 0:
            return self._keeper(0, arrays)
        self._central = self._keeper.evaluated(arrays)
        return self._central

    def _end_round(self, arrays: ArrayRecord) -> None:
        if self._exact.round.number > max(self._exact.rounds_done, self._keeper.ended):
            self._look()
            self._keeper.end(arrays, self._central)
        self._central = None


def _taken(start: Callable[..., Result], arguments: dict[str, Any]) -> dict[str, Any]:
    """Leave out what its start() does not take."""
    parameters = inspect.signature(start).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}
