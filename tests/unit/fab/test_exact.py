# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wrapper does where the strategy, or the nodes, leave a round without a model."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
from flwr.serverapp.strategy import FedAvg
from simulated import Federation

from fedops_kit.errors import NodesUnavailableError, RunFailedError


@pytest.fixture
def fruitless(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Have a strategy that makes nothing of the replies of these rounds."""
    rounds: set[int] = set()
    aggregate = FedAvg.aggregate_train

    def aggregating(self: FedAvg, number: int, replies: object) -> tuple:
        return (None, None) if number in rounds else aggregate(self, number, replies)

    monkeypatch.setattr(FedAvg, "aggregate_train", aggregating)
    return rounds


@pytest.mark.parametrize("on_shortfall", ["fail", "retry"])
def test_a_strategy_that_makes_nothing_of_good_replies_ends_the_run(
    federation: Federation, fruitless: set[int], on_shortfall: str
) -> None:
    fruitless.add(2)
    with pytest.raises(RunFailedError, match=r"^Round 2 failed: The strategy aggregated nothing\.$") as caught:
        federation.train(num_rounds=3, on_shortfall=on_shortfall)
    assert caught.type is RunFailedError  # no node was missing
    assert [line["aggregated"] for line in federation.published("history.jsonl")] == [True]


def test_its_round_is_skipped_where_that_is_wished(
    federation: Federation, fruitless: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    fruitless.add(2)
    federation.train(num_rounds=3, on_shortfall="skip")
    assert [line["aggregated"] for line in federation.published("history.jsonl")] == [True, False, True]
    assert not (federation.checkpoints() / "checkpoint_round_2.npz").exists()
    assert "Round 2 is skipped: The strategy aggregated nothing." in caplog.messages


@pytest.mark.parametrize(("failing", "error"), [((), NodesUnavailableError), (("site06",), RunFailedError)])
def test_only_a_round_that_lacked_nothing_but_nodes_is_worth_another_try(
    federation: Federation, failing: tuple[str, ...], error: type
) -> None:
    away = set(federation.names[:6]) - {*failing}
    grid = {"unavailable": lambda site, *dummy: site in away, "fails": lambda site, *dummy: site in failing}
    with pytest.raises(RunFailedError, match=r"^Round 1 failed: ") as caught:
        federation.train(num_rounds=1, on_shortfall="fail", min_fit_clients=7, grid=grid)
    assert caught.type is error


def draws() -> list[float]:
    """Return numbers of both global generators."""
    return [*(random.random() for dummy in range(3)), *np.random.random(3)]


@pytest.fixture
def drawn() -> Iterator[list[float]]:
    """What a user's own draws would be if no training lay between them."""
    before, arrays_before = random.getstate(), np.random.get_state()
    random.seed("a user's")
    np.random.seed(7)
    state, arrays_state = random.getstate(), np.random.get_state()
    numbers = draws()
    random.setstate(state)
    np.random.set_state(arrays_state)
    yield numbers
    random.setstate(before)
    np.random.set_state(arrays_before)


def test_sampling_leaves_the_random_numbers_of_the_task_alone(federation: Federation, drawn: list[float]) -> None:
    federation.train(num_rounds=2, fraction_train=0.5, fraction_evaluate=0.5)
    assert draws() == drawn


def test_sampling_that_fails_leaves_them_alone_too(
    federation: Federation, drawn: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*dummy: object) -> None:
        random.random()
        raise ValueError("no nodes")

    monkeypatch.setattr(FedAvg, "configure_train", failing)
    with pytest.raises(ValueError, match="no nodes"):
        federation.train(num_rounds=1)
    assert draws() == drawn
