# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays that a task returns are taken as they are meant, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from simulated import Federation

from fedops_app import task
from fedops_kit.errors import RunFailedError


@pytest.mark.parametrize(("made", "kind"), [(None, "NoneType"), ([np.ones(2)], "list")])
def test_a_model_that_is_no_dictionary_ends_the_run_before_a_round(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, made: object, kind: str
) -> None:
    monkeypatch.setattr(task, "initial_arrays", lambda seed: made)
    with pytest.raises(
        RunFailedError, match=rf"^initial_arrays\(\) in task.py has returned {kind}, and no dictionary\.$"
    ):
        federation.train(num_rounds=1)
    assert federation.last.log == []


def test_a_site_says_which_array_it_cannot_send(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    train = task.train

    def spoiled(arrays: task.Arrays, *rest: Any) -> tuple[task.Arrays, task.Metrics]:
        made, metrics = train(arrays, *rest)
        return {**made, "output.bias": np.array([None])}, metrics

    monkeypatch.setattr(task, "train", spoiled)
    with pytest.raises(RunFailedError, match=r"train\(\) in task.py has returned 'output.bias', which cannot be sent"):
        federation.train(num_rounds=1)


def test_a_model_keeps_the_order_of_its_bytes(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arithmetic makes the order of the machine of it: a site may return either."""
    initial, train = task.initial_arrays, task.train

    def turned(seed: int) -> task.Arrays:
        return {name: array.astype(">f4") for name, array in initial(seed).items()}

    def native(arrays: task.Arrays, *rest: Any) -> tuple[task.Arrays, task.Metrics]:
        return train({name: array.astype("<f4") for name, array in arrays.items()}, *rest)

    federation.train("native", num_rounds=2)
    monkeypatch.setattr(task, "initial_arrays", turned)
    monkeypatch.setattr(task, "train", native)
    federation.train("turned", num_rounds=2)
    (_first, line) = federation.published("history.jsonl")
    assert line["replies"] == 7
    one, other = (np.load(federation.checkpoints(name) / "checkpoint_round_2.npz") for name in ("native", "turned"))
    assert other["output.bias"].dtype == np.dtype(">f4")
    assert all(np.array_equal(one[name], other[name]) for name in one.files)
