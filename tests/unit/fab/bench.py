# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts strategies of others with the kit on a simulated grid, and two such strategies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg, Result, Strategy
from simulated import Killed, SimulatedGrid, trained

from fedops_kit import keep
from fedops_kit.keeping import KeptStrategy
from fedops_kit.knowledge._config.kit import KIT_ROWS, kit_default, kit_key

NODES = {101: "north", 202: "south", 303: "west", 404: "east"}
ROUNDS = 5
Keep = Callable[[Strategy, Context], KeptStrategy]


def client(record: str = "arrays", config: str = "config", weight: str = "num-examples") -> ClientApp:
    """A ClientApp that moves the model by what its node has, and sends it under names of its own."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        arrays = message.content[record]
        step = float(context.node_config["step"]) * (1 + message.content[config]["server-round"])
        values = {name: array.numpy() for name, array in arrays.items()}
        moved = {name: Array(np.asarray((value + step).astype(value.dtype))) for name, value in values.items()}
        metrics = MetricRecord({weight: 2, "train_loss": step})
        return Message(RecordDict({"weights": ArrayRecord(moved), "figures": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, context: Context) -> Message:
        value = float(message.content[record]["w"].numpy().mean())
        return Message(RecordDict({"figures": MetricRecord({weight: 2, "value": value})}), reply_to=message)

    return app


@dataclass
class Bench:
    """Starts strategies as a ServerApp does."""

    root: Path
    runs: int = 0
    client: ClientApp | None = None

    def start(
        self,
        make: Callable[[], Strategy],
        where: str = "kept",
        door: Keep = keep,
        grid: dict[str, Any] | None = None,
        rounds: int = ROUNDS,
        given: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Result:
        """Run once; return the result."""
        self.runs += 1
        own = {"checkpoint-enabled": True, "checkpoint-interval": 1, "checkpoint-path": str(self.root / where)}
        config = {kit_key(row): kit_default(row) for row in KIT_ROWS}
        config |= {f"fedops.{key}": value for key, value in {**own, **(given or {})}.items()}
        sites = {site: {"step": number / 8} for number, site in enumerate(NODES.values(), start=1)}
        self.grid = SimulatedGrid(
            NODES, self.root, self.runs, client=self.client or client(), node_configs=sites, **(grid or {})
        )
        context = Context(self.runs, 0, {}, RecordDict(), config)
        initial = ArrayRecord({"w": Array(np.zeros((2, 3), np.float32)), "n": Array(np.array(0, np.int64))})
        self.initial = initial
        kept = door(make(), context)
        initial = arguments.pop("initial", initial)
        # Each run is a process of its own, and makes its own.
        arguments = {
            name: deepcopy(each) if isinstance(each, ConfigRecord) else each for name, each in arguments.items()
        }
        return kept.start(grid=self.grid, initial_arrays=initial, num_rounds=rounds, **arguments)

    def interrupted(self, make: Callable[[], Strategy], **arguments: Any) -> tuple[Result, Result]:
        """Return the results of a training that was not disturbed, and of one that was killed in round 3."""
        straight = self.start(make, "straight", **arguments)
        with pytest.raises(Killed):
            self.start(make, "killed", grid={"killed_in_round": 3}, **arguments)
        return straight, self.start(make, "killed", **arguments)

    def published(self, name: str) -> dict:
        return json.loads((self.root / "trainings/default" / name).read_text())

    def trained(self) -> list[int]:
        return trained(self.grid)


def same(one: ArrayRecord, other: ArrayRecord) -> bool:
    return {name: array.data for name, array in one.items()} == {name: array.data for name, array in other.items()}


class Wrapping(Strategy):
    """Holds another one, as Flower's wrappers for differential privacy do."""

    def __init__(self, strategy: Strategy) -> None:
        self.inner = strategy

    def configure_train(self, *arguments: Any) -> Any:
        return self.inner.configure_train(*arguments)

    def aggregate_train(self, *arguments: Any) -> Any:
        return self.inner.aggregate_train(*arguments)

    def configure_evaluate(self, *arguments: Any) -> Any:
        return self.inner.configure_evaluate(*arguments)

    def aggregate_evaluate(self, *arguments: Any) -> Any:
        return self.inner.aggregate_evaluate(*arguments)

    def summary(self) -> None:
        self.inner.summary()


class Growing(Strategy):
    """Appends what the sites send, as trees are: its model has another shape after each round."""

    def __init__(self) -> None:
        self.fed = FedAvg(fraction_evaluate=0.0)

    def configure_train(self, *arguments: Any) -> Any:
        return self.fed.configure_train(*arguments)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        parts = [reply.content["weights"]["w"].numpy().reshape(-1) for reply in replies]
        return ArrayRecord({"w": Array(np.concatenate(parts)), "n": Array(np.array(server_round, np.int64))}), None

    def configure_evaluate(self, *arguments: Any) -> Any:
        return []

    def aggregate_evaluate(self, *arguments: Any) -> None:
        return None

    def summary(self) -> None:
        self.fed.summary()
