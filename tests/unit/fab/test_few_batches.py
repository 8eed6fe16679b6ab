# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a few batches, with every task of the collection; without a limit nothing is other than before."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from simulated import Federation
from use_cases import Shipped, settings

from fedops_app.asking import call
from fedops_app.measuring import Steps
from fedops_app.settings import part


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for every step that is taken."""
    taken: list[int] = []
    monkeypatch.setattr(Steps, "taken", lambda self, gradients: taken.append(1))
    return taken


def test_an_epoch_has_at_most_so_many_batches(
    shipped: Shipped, task: ModuleType, tmp_path: Path, steps: list[int]
) -> None:
    shipped.data(tmp_path, 1)
    extra = shipped.extra(task)
    model = call(task.initial_arrays, 0, extra=extra)
    limited = task.train(model, tmp_path, settings(extra, batch_size=8, max_batches=2, local_epochs=3))[1]
    assert len(steps) == 2 * 3
    assert limited["num-examples"] == task.train(model, tmp_path, settings(extra))[1]["num-examples"]


def test_a_limit_that_is_not_reached_changes_no_bit(shipped: Shipped, task: ModuleType, tmp_path: Path) -> None:
    shipped.data(tmp_path, 1)
    extra = shipped.extra(task)
    model = call(task.initial_arrays, 0, extra=extra)
    all_of_it, metrics = task.train(model, tmp_path, settings(extra, batch_size=8))
    limited, told = task.train(model, tmp_path, settings(extra, batch_size=8, max_batches=10**6))
    assert {name: array.tobytes() for name, array in limited.items()} == {
        name: array.tobytes() for name, array in all_of_it.items()
    }
    assert told == metrics
    assert call(task.evaluate, model, tmp_path, extra=extra, most_examples=10**9) == call(
        task.evaluate, model, tmp_path, extra=extra
    )


@pytest.mark.parametrize("most", [1, 5, 16])
def test_an_evaluation_takes_at_most_so_many_examples(
    shipped: Shipped, task: ModuleType, tmp_path: Path, most: int
) -> None:
    shipped.data(tmp_path, 1)
    extra = shipped.extra(task)
    model = call(task.initial_arrays, 0, extra=extra)
    for function in (task.evaluate, task.evaluate_centrally):
        limited = call(function, model, tmp_path, extra=extra, most_examples=most)
        assert 1 <= limited["num-examples"] <= most
        assert np.isfinite(list(limited.values())).all()
        assert limited.keys() == call(function, model, tmp_path, extra=extra).keys()


def test_sites_and_server_are_told_the_limits(
    shipped: Shipped, task: ModuleType, federation: Federation, steps: list[int]
) -> None:
    sites = shipped.sites(federation)
    limits = {"batch_size": 4, "max_batches": 1, "max_eval_batches": 2, "local_epochs": 1}
    shipped.train(sites, task, num_rounds=1, **limits)
    line = sites.published("history.jsonl")[-1]
    assert len(steps) == len(line["sites"]) == 3
    assert all(0 < site["evaluation"]["examples"] <= 8 for site in line["sites"])
    assert 0 < line["num_examples"] <= 8  # of the server's own test set


@pytest.mark.parametrize(
    ("examples", "most", "chosen"),
    [(5, None, [0, 1, 2, 3, 4]), (5, 5, [0, 1, 2, 3, 4]), (5, 9, [0, 1, 2, 3, 4]), (5, 2, [0, 3]), (0, 3, [])],
)
def test_a_part_is_spread_over_the_examples(examples: int, most: int | None, chosen: list[int]) -> None:
    assert list(range(examples)[part(examples, most)]) == chosen
