# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site does with a message, and the default task."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from simulated import Federation, digits

from fedops_app import client_app, task
from fedops_app.settings import Settings, derive_seed

SETTINGS = Settings(learning_rate=0.1, local_epochs=1, batch_size=32, proximal_mu=0.0, seed=1)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    digits(tmp_path / "train.npz", seed=3, examples=256)
    return tmp_path


def settings(**changes: object) -> Settings:
    return Settings(**{**vars(SETTINGS), **changes})


def seen_settings(federation: Federation, monkeypatch: pytest.MonkeyPatch, **variables: object) -> list[Settings]:
    seen: list[Settings] = []
    train = task.train

    def spy(arrays: task.Arrays, data: Path, given: Settings) -> tuple[task.Arrays, task.Metrics]:
        seen.append(given)
        return train(arrays, data, given)

    monkeypatch.setattr(client_app.task, "train", spy)
    federation.train(**variables)
    return seen


def test_every_site_and_round_has_a_seed_of_its_own(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [given.seed for given in seen_settings(federation, monkeypatch, num_rounds=3, seed=5)]
    assert len(set(seeds)) == len(seeds) == 21
    assert set(seeds) == {derive_seed(5, number, name) for number in (1, 2, 3) for name in federation.names}


def test_the_variables_reach_the_task(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    given = seen_settings(
        federation, monkeypatch, num_rounds=1, client_lr=0.05, local_epochs=2, batch_size=8,
        strategy="FedProx", proximal_mu=0.5,
    )[0]  # fmt: skip
    assert (given.learning_rate, given.local_epochs, given.batch_size, given.proximal_mu) == (0.05, 2, 8, 0.5)


def test_only_fedprox_has_a_proximal_term(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {given.proximal_mu for given in seen_settings(federation, monkeypatch, num_rounds=1)} == {0.0}


def test_training_is_repeatable_and_depends_on_the_seed(site: Path) -> None:
    start = task.initial_arrays(0)
    one, two = (task.train(start, site, SETTINGS)[0] for dummy in range(2))
    np.testing.assert_equal(one, two)
    other = task.train(start, site, settings(seed=2))[0]
    assert not np.array_equal(one["hidden.weight"], other["hidden.weight"])


def test_training_leaves_what_it_was_given_alone(site: Path) -> None:
    start = task.initial_arrays(0)
    task.train(start, site, SETTINGS)
    np.testing.assert_equal(start, task.initial_arrays(0))


def test_training_learns(site: Path) -> None:
    start = task.initial_arrays(0)
    trained, metrics = task.train(start, site, settings(local_epochs=20))
    before, after = task.evaluate(start, site), task.evaluate(trained, site)
    assert metrics == {"num-examples": 256, "train_loss": before["loss"], "grad_norm": metrics["grad_norm"]}
    assert metrics["grad_norm"] > 0
    assert after["loss"] < before["loss"] / 2
    assert after["accuracy"] > 0.95
    assert {array.dtype for array in trained.values()} == {np.dtype(np.float32)}
    assert list(trained) == list(start)


def test_the_gradient_is_that_of_the_loss(site: Path) -> None:
    rng = np.random.default_rng(0)
    model = {name: array.astype(np.float64) for name, array in task.initial_arrays(0).items()}
    x, y = rng.random((5, 64)), rng.integers(0, 10, 5)
    for name, gradient in task._gradients(model, x, y).items():
        index = tuple(rng.integers(0, size) for size in model[name].shape)
        step = 1e-6
        moved = {key: array.copy() for key, array in model.items()}
        moved[name][index] += step
        slope = (task._loss_and_accuracy(moved, x, y)[0] - task._loss_and_accuracy(model, x, y)[0]) / step
        assert slope == pytest.approx(gradient[index], abs=1e-4)


def test_the_proximal_term_holds_the_model_back(site: Path) -> None:
    start = task.initial_arrays(0)

    def distance(mu: float) -> float:
        trained = task.train(start, site, settings(proximal_mu=mu, local_epochs=5))[0]
        return sum(float(np.square(trained[name] - start[name]).sum()) for name in start)

    assert distance(5.0) < distance(1.0) < distance(0.0)


def test_one_step_with_the_proximal_term_is_the_formula(site: Path) -> None:
    start = task.initial_arrays(0)
    with np.load(site / "train.npz") as data:
        x, y = data["x"], data["y"]
    np.savez(site / "train.npz", x=x[:8], y=y[:8])
    two_steps = task.train(start, site, settings(batch_size=8, local_epochs=2, proximal_mu=3.0))[0]
    order = np.random.default_rng(1)
    model = start
    for _epoch in range(2):
        batch = order.permutation(8)
        gradients = task._gradients(model, x[batch], y[batch])
        model = {
            name: (model[name] - 0.1 * (gradients[name] + 3.0 * (model[name] - start[name]))).astype(np.float32)
            for name in model
        }
    for name, array in model.items():
        np.testing.assert_allclose(two_steps[name], array, atol=1e-6)


def test_a_site_evaluates_on_its_test_set_where_it_has_one(site: Path) -> None:
    start = task.initial_arrays(0)
    assert task.evaluate(start, site)["num-examples"] == 256
    digits(site / "test.npz", seed=4, examples=10)
    assert task.evaluate(start, site)["num-examples"] == 10


def test_the_server_without_a_test_set_does_not_evaluate(tmp_path: Path) -> None:
    assert task.evaluate_centrally(task.initial_arrays(0), tmp_path) is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((3, 64))}, "cannot be read as an .npz file with the arrays x and y"),
        ({"x": np.zeros((3, 63)), "y": np.zeros(3)}, r"holds x \(3, 63\) and y \(3,\); they must be \(n, 64\)"),
        ({"x": np.zeros((3, 64)), "y": np.zeros(2)}, "they must be"),
        ({"x": np.zeros((0, 64)), "y": np.zeros(0)}, "n at least 1"),
        ({"x": np.full((1, 64), np.nan), "y": np.zeros(1)}, "not finite"),
        ({"x": np.zeros((1, 64)), "y": np.array([10])}, "labels that are not from 0 to 9"),
    ],
)
def test_bad_data_is_named(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "train.npz", **arrays)
    with pytest.raises(ValueError, match=said) as error:
        task.train(task.initial_arrays(0), tmp_path, SETTINGS)
    assert str(error.value).startswith(str(tmp_path / "train.npz"))


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.npz").write_text("not an archive")
    with pytest.raises(ValueError, match="cannot be read as an .npz file"):
        task.train(task.initial_arrays(0), tmp_path, SETTINGS)


def reporting(monkeypatch: pytest.MonkeyPatch, function: str, reported: Callable[[dict], object]) -> None:
    """Have a function of the task report something else."""
    own = getattr(task, function)

    def changed(*arguments: object) -> object:
        made = own(*arguments)
        return (made[0], reported(made[1])) if function == "train" else reported(made)

    monkeypatch.setattr(task, function, changed)


def test_numbers_of_numpy_are_reported_as_numbers(federation: Federation, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {
        "scalar": np.float32(0.5),
        "no_dimension": np.array(2, np.int16),
        "flag": np.bool_(True),
        "large": 10**30,
        "list": (1, np.float16(2.5)),
        "array": np.arange(3),
    }
    for function in ("train", "evaluate", "evaluate_centrally"):
        reporting(monkeypatch, function, lambda own: {name: np.float64(own[name]) for name in own} | odd)
    federation.train(num_rounds=1)
    (line,) = federation.published("history.jsonl")
    assert (line["replies"], line["failures"], line["rejected"]) == (7, 0, [])
    of_a_site = line["sites"][0]["metrics"]
    assert {name: of_a_site[name] for name in of_a_site} == {
        "scalar": 0.5, "no_dimension": 2, "flag": 1, "large": 1e30,
    }  # fmt: skip
    assert line["metrics"]["list"] == [1.0, 2.5]
    assert line["metrics"]["array"] == [0, 1, 2]


@pytest.mark.parametrize("function", ["train", "evaluate", "evaluate_centrally"])
@pytest.mark.parametrize(
    ("reported", "words"),
    [
        ({"m": "high"}, "'m' as str, and a metric is"),
        ({"m": [[1.0]]}, "'m' as a list that holds list, and a metric is"),
        ({2: 1.0}, "calls a metric 2, which is no text"),
        ([1.0], "dictionaries|has returned list where its metrics should be"),
    ],
)
def test_what_is_no_metric_is_refused_by_its_name(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, function: str, reported: object, words: str
) -> None:
    reporting(monkeypatch, function, lambda dummy: reported)
    if function == "evaluate":
        federation.train(num_rounds=1)
        reason = federation.published("history.jsonl")[0]["failed"][0]["reason"]
        assert re.search(f"evaluate\\(\\) in task.py .*({words})", reason)
    else:
        with pytest.raises(Exception, match=rf"{function}\(\) in task.py .*({words})"):
            federation.train(num_rounds=1)
