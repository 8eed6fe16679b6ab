# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies of others that carry something on in an object, and those that mean to make no model in a round."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bench import Bench, Wrapping, same
from flwr.app import Message, MetricRecord
from flwr.serverapp.strategy import FedAdam, FedAvg


class Slotted:
    __slots__ = ("best", "unset")

    def __init__(self) -> None:
        self.best = 0.0


@dataclass
class Tracker:
    losses: list[float] = field(default_factory=list)
    inner: Slotted = field(default_factory=Slotted)


class Carrying(FedAvg):
    """Changes something of an object in each round."""

    def __init__(self, held: object, change: Callable[[Any], object]) -> None:
        super().__init__()
        self.held, self.still, self.change = held, Tracker(), change

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        self.change(self.held)
        return super().aggregate_train(server_round, replies)


def improve(it: Slotted) -> None:
    it.best += 1


OBJECTS: dict[str, tuple[Callable[[], object], Callable[[Any], object]]] = {
    "random": (lambda: random.Random(1), lambda it: it.random()),
    "generator": (lambda: np.random.default_rng(1), lambda it: it.random()),
    "twister": (lambda: np.random.RandomState(1), lambda it: it.rand()),
    "of its own class": (Tracker, lambda it: it.losses.append(1.0)),
    "in one of those": (Tracker, lambda it: improve(it.inner)),
    "with slots": (Slotted, improve),
    "namespace": (lambda: SimpleNamespace(best=0), improve),
    "window": (lambda: deque([1, 2], maxlen=2), lambda it: it.append(random.random())),
    "in a list": (lambda: [{"a": random.Random(1)}], lambda it: it[0]["a"].random()),
}


@pytest.mark.parametrize(("held", "change"), OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_an_object_carries_on_is_told(bench: Bench, held: Any, change: Any, wrapped: bool) -> None:
    def make() -> Any:
        return Wrapping(Carrying(held(), change)) if wrapped else Carrying(held(), change)

    bench.start(make, rounds=3)
    assert bench.published("result.json")["not_kept"] == ["inner/held" if wrapped else "held"]


@pytest.mark.parametrize("held", [Tracker, Slotted, lambda: print, lambda: random.Random(1), lambda: Bench, object])
def test_an_object_that_stays_as_it_is_is_not_told(bench: Bench, held: Any) -> None:
    bench.start(lambda: Carrying(held(), str), rounds=3)
    assert "not_kept" not in bench.published("result.json")


class Doubting(FedAdam):
    """Leaves the model as it is when it does not like what the sites have made of it."""

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> Any:
        if server_round in (2, 4):
            return None, MetricRecord({"doubts": 1})
        return super().aggregate_train(server_round, replies)


@pytest.mark.parametrize("make", [Doubting, lambda: Wrapping(Doubting())])
def test_a_strategy_may_mean_to_make_no_model(bench: Bench, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    straight, killed = bench.interrupted(make, rounds=5)
    assert same(straight.arrays, killed.arrays)
    assert straight.train_metrics_clientapp[2]["doubts"] == 1
    assert "Round 2: the strategy has made no model of the replies." in caplog.text
    lines = map(json.loads, (bench.root / "trainings/default/history.jsonl").read_text().splitlines())
    made = {line["round"]: line["aggregated"] for line in lines}
    assert made == {1: True, 2: False, 3: True, 4: False, 5: True}
