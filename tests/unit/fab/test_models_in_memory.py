# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many models are in memory at a time: what a large one costs is decided here."""

from __future__ import annotations

import gc
from collections.abc import Iterable

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from simulated import Federation, SimulatedGrid

from fedops_app import client_app, task
from fedops_kit.exact import ExactStrategy
from fedops_kit.integrity import FINGERPRINT, fingerprint
from fedops_kit.knowledge._config.strategies import STRATEGIES

MODEL = sum(len(Array(array).data) for array in task.initial_arrays(0).values())
SITES = 7


def models_alive() -> float:
    """Return how many models the bytes of all of Flower's arrays make that are still held by somebody."""
    gc.collect()  # the simulated nodes live in this process too, and leave cycles
    buffers = {id(thing.data): len(thing.data) for thing in gc.get_objects() if isinstance(thing, Array)}
    return sum(buffers.values()) / MODEL


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """Count when a round is sent, and when the strategy has its replies."""
    counts: dict[str, list[float]] = {"sent": [], "aggregated": []}
    push, check = SimulatedGrid.push_messages, ExactStrategy._check_trimming

    def counting_push(grid: SimulatedGrid, messages: Iterable[Message]) -> Iterable[str]:
        messages = list(messages)
        if messages and messages[0].metadata.message_type == "train":
            counts["sent"].append(models_alive())
        return push(grid, messages)

    def counting_check(exact: ExactStrategy) -> None:
        """The last thing before the replies become a model, whoever makes it."""
        counts["aggregated"].append(models_alive())
        check(exact)

    monkeypatch.setattr(SimulatedGrid, "push_messages", counting_push)
    monkeypatch.setattr(ExactStrategy, "_check_trimming", counting_check)
    return counts


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_round_holds_the_model_and_its_replies_and_nothing_older(
    federation: Federation, counted: dict[str, list[float]], strategy: str
) -> None:
    federation.train(
        strategy=strategy, num_rounds=4, checkpoint_interval=3, num_malicious=1 if "ulyan" in strategy else 0
    )
    assert counted["sent"] == pytest.approx([2.0] * 4)  # and packed, until it is sent
    assert counted["aggregated"] == pytest.approx([1.0 + SITES] * 4)


def test_a_model_that_the_strategy_keeps_is_left_to_it(federation: Federation) -> None:
    """FedAvgM without momentum never replaces the model that it was given first."""
    plain = {"strategy": "FedAvgM", "server_momentum": 0.0, "server_lr": 1.0}
    federation.train(num_rounds=2, **plain)
    with np.load(federation.checkpoints() / "checkpoint_round_2.npz") as saved:
        state = dict(saved)
    for name, array in task.initial_arrays(42).items():
        np.testing.assert_array_equal(state[f"state/current_arrays/{name}"], array)


def test_a_skipped_round_goes_on_with_the_model_it_had(federation: Federation, counted: dict[str, list[float]]) -> None:
    def second(site: str, round_number: int, attempt: int) -> bool:
        return round_number == 2

    federation.train("skipped", num_rounds=3, on_shortfall="skip", grid={"fails": second})
    assert counted["sent"] == pytest.approx([2.0] * 3)
    with np.load(federation.checkpoints("skipped") / "checkpoint_round_3.npz") as saved:
        assert sorted(saved.files) == sorted(task.initial_arrays(42))


def test_a_site_lets_go_of_the_message_and_of_nothing_that_is_the_tasks(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ArrayRecord({name: Array(array) for name, array in task.initial_arrays(1).items()})
    config = {"seed": 1, "server-round": 1, "client-lr": 0.1, "local-epochs": 1, "batch-size": 32, "max-batches": 0}
    config[FINGERPRINT] = fingerprint(model)
    message = Message(
        RecordDict({"arrays": model, "config": ConfigRecord(config)}), dst_node_id=1, message_type="train"
    )
    kept = {name: np.ones_like(array) for name, array in task.initial_arrays(1).items()}
    held: list[int] = []

    def train(arrays: task.Arrays, *dummy: object) -> tuple[task.Arrays, task.Metrics]:
        held.append(len(model))
        assert {name: array.shape for name, array in arrays.items()} == {name: kept[name].shape for name in kept}
        return kept, {"num-examples": 1}

    monkeypatch.setattr(client_app.task, "train", train)
    reply = client_app.app(message, Context(1, 1, {"site": "a"}, RecordDict(), {}))
    assert (held, len(kept)) == ([0], len(task.initial_arrays(1)))
    for name, array in reply.content["arrays"].items():
        np.testing.assert_array_equal(array.numpy(), kept[name])
