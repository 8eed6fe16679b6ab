# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Strategies of Flower made from a training."""

from __future__ import annotations

from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy import Strategy

from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.training import Training


def build(training: Training) -> Strategy:
    """Return Flower's own strategy object for a training."""
    name = str(training.values["strategy"])
    if name not in STRATEGIES:
        raise RunFailedError(f"strategy is {name!r} but must be one of {', '.join(STRATEGIES)}.")
    return getattr(flower, name)(**training.strategy_parameters)


def describe(strategy: Strategy, training: Training) -> dict[str, object]:
    """Say what the live object is; the values come from it, not from what it was asked to be."""
    kind = type(strategy)
    return {
        "name": kind.__name__,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "parameters": {name: getattr(strategy, name) for name in training.strategy_parameters},
    }
