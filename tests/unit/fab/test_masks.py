# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models with numbers that no training makes, such as masks of infinite ones."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import Federation, Killed

from fedops_app import task
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.strategies import STRATEGIES

MASKS = {
    "causal": np.triu(np.full((3, 3), -np.inf, np.float32), 1),
    "largest": np.array([np.finfo(np.float16).min, 0], np.float16),
    "beyond": np.array([np.finfo(np.float64).min, 2.5]),
    "unknown": np.array(np.nan, np.float32),
}


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a model with masks in the place of the app's own."""
    plain = {name: getattr(task, name) for name in ("initial_arrays", "train", "evaluate", "evaluate_centrally")}

    def without(arrays: task.Arrays) -> task.Arrays:
        return {name: values for name, values in arrays.items() if name not in MASKS}

    def train(arrays: task.Arrays, *rest: object) -> tuple:
        made, metrics = plain["train"](without(arrays), *rest)
        return {**MASKS, **made}, metrics

    monkeypatch.setattr(task, "initial_arrays", lambda seed: {**MASKS, **plain["initial_arrays"](seed)})
    monkeypatch.setattr(task, "train", train)
    monkeypatch.setattr(task, "buffers", lambda: list(MASKS), raising=False)
    for name in ("evaluate", "evaluate_centrally"):
        monkeypatch.setattr(task, name, lambda arrays, *rest, name=name: plain[name](without(arrays), *rest))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_mask_of_infinite_numbers_is_trained_saved_and_resumed(
    federation: Federation, masked: None, name: str
) -> None:
    given = {"Krum": {"num_malicious": 2}, "Bulyan": {"num_malicious": 1}}.get(name, {})
    asked = {"strategy": name, "num_rounds": 3, "nnm_malicious": 1, **given}
    federation.train("straight", **asked)
    with pytest.raises(Killed):
        federation.train("interrupted", **asked, grid={"killed_in_round": 3})
    federation.train("interrupted", **asked)
    assert federation.arrays(3, "interrupted") == federation.arrays(3, "straight")
    with np.load(federation.checkpoints("straight") / "checkpoint_round_3.npz") as arrays:
        assert all(arrays[key].tobytes() == values.tobytes() for key, values in MASKS.items())
    assert [line["rejected"] for line in federation.published("history.jsonl")] == [[]] * 3
    assert federation.published("history.jsonl")[-1]["update_norm"] > 0


@pytest.mark.parametrize("lie", [0.0, np.nan, np.inf, -1e30])
def test_what_is_infinite_in_the_model_is_nobodys_to_change(federation: Federation, masked: None, lie: float) -> None:
    honest = task.train

    def train(arrays: task.Arrays, place: object, *rest: object) -> tuple:
        made, metrics = honest(arrays, place, *rest)
        return ({**made, "causal": np.full((3, 3), lie, np.float32)} if "site03" in str(place) else made), metrics

    task.train = train
    federation.train(num_rounds=1)
    (line,) = federation.published("history.jsonl")
    assert line["rejected"] == [
        {"site": "site03", "work": "train", "reason": "the array 'causal' is not the model's where that is infinite"}
    ]


@pytest.mark.parametrize(("value", "told"), [(np.nan, "NaN or infinite numbers"), (2e12, "numbers beyond 1e+12")])
def test_a_parameter_that_no_reply_could_have_is_refused_before_the_first_round(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, value: float, told: str
) -> None:
    plain = task.initial_arrays
    monkeypatch.setattr(task, "initial_arrays", lambda seed: {**plain(seed), "odd": np.array([1, value])})
    with pytest.raises(RunFailedError) as caught:
        federation.train(num_rounds=1)
    assert str(caught.value).startswith(f"The model cannot be trained: the array 'odd' holds {told} before")
    assert federation.last.log == []


@pytest.mark.parametrize("strategy", ["FedAvg", "Krum"])
def test_no_norm_counts_a_buffer(federation: Federation, monkeypatch: pytest.MonkeyPatch, strategy: str) -> None:
    plain = task.initial_arrays, task.train, task.evaluate_centrally
    monkeypatch.setattr(task, "initial_arrays", lambda seed: {**plain[0](seed), "variance": np.ones(4, np.float32)})
    monkeypatch.setattr(task, "evaluate_centrally", lambda *rest: None)
    monkeypatch.setattr(task, "buffers", lambda: ["variance"], raising=False)

    def train(arrays: task.Arrays, *rest: object) -> tuple:
        made, metrics = plain[1]({name: arrays[name] for name in arrays if name != "variance"}, *rest)
        return {**made, "variance": arrays["variance"] + 1e6}, metrics

    monkeypatch.setattr(task, "train", train)
    federation.train(strategy=strategy, num_rounds=1, fraction_evaluate=0)
    (line,) = federation.published("history.jsonl")
    assert 0 < line["update_norm"] < 10
    assert 0 < line["across_sites"]["update_norm"]["maximum"] < 10
