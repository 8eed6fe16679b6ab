# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apps that know nothing of the collection, unchanged but for two lines, and one by one without them."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from any_app import NODES, AnyApp
from simulated import Killed, SimulatedGrid, trained

from fedops_kit.knowledge._checkpoint.directory import inspect

MODELS = {
    "quickstart-numpy": "final_model.npz",
    "quickstart-sklearn": "logreg_model.pkl",
    "quickstart-pytorch": "final_model.pt",
    "advanced-pytorch": "final_model.npz",
    "custom-metrics": "final_model.npz",
    "xgboost-comprehensive": "final_model.json",
}
STRATEGIES = {"advanced-pytorch": "CustomFedAvg", "xgboost-comprehensive": "FedXgbBagging"}
ASKED = {"custom-metrics": 2}  # of three nodes: its fraction-train is 0.7
NO_NUMPY_FILES = ("quickstart-sklearn", "xgboost-comprehensive")
ROUNDS = 5
KILLS, ROUNDS_TO_KILL = 10, 30
SIGNS_OF_A_ROUND = 4 * len(NODES)

every_app = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(autouse=True)
def _published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEDOPS_TRAININGS_DIR", str(tmp_path / "trainings"))
    monkeypatch.setattr("fedops_kit.exact.RETRY_PAUSES", (0.0, 0.0, 0.0))
    # As Flower's own grid does it, for apps without the kit.
    monkeypatch.setattr(SimulatedGrid, "send_and_receive", exchanged)


def exchanged(grid: SimulatedGrid, messages: object, *, timeout: float | None = None) -> object:
    return grid.pull_messages(grid.push_messages(messages))


def published(tmp_path: Path, name: str) -> dict:
    return json.loads((tmp_path / "trainings/default" / name).read_text())


def history(tmp_path: Path) -> list[dict]:
    return [json.loads(line) for line in (tmp_path / "trainings/default/history.jsonl").read_text().splitlines()]


def model_of(name: str, folder: Path) -> bytes:
    return (folder / MODELS[name]).read_bytes()


@every_app
def test_with_two_lines_it_ends_as_it_does_without(tmp_path: Path, name: str) -> None:
    """But for the last bits: without the kit, sums are made in the order in which replies come."""
    plain = AnyApp(name, tmp_path / "plain", kept=False)
    kept = AnyApp(name, tmp_path / "kept")
    rounds = {"num-server-rounds": ROUNDS, "fraction-train": 1.0}  # without the kit, nodes are sampled by chance
    first, second = plain.train("straight", **rounds), kept.train("straight", **rounds)
    if name in NO_NUMPY_FILES:
        assert abs(len(model_of(name, first)) - len(model_of(name, second))) < 64
    else:
        with np.load(first / MODELS[name]) as one, np.load(second / MODELS[name]) as other:
            assert one.files == other.files
            for array in one.files:
                np.testing.assert_allclose(one[array], other[array], atol=1e-5)
    assert trained(plain.last) == trained(kept.last) == [1, 2, 3, 4, 5]


def test_an_app_that_trains_nothing_runs_as_it_stands(tmp_path: Path) -> None:
    folder = AnyApp("federated-analytics", tmp_path, kept=False).train("straight")
    rng = [np.random.default_rng(number) for number in range(len(NODES))]
    ages = np.concatenate([each.normal(60, 10, 200) for each in rng])
    stats = json.loads((folder / "aggregated_stats.json").read_text())
    np.testing.assert_allclose([stats["age"]["mean"], stats["age"]["std"]], [ages.mean(), ages.std()])
    assert stats.keys() == {"age", "sofa"}


def test_an_app_without_a_strategy_runs_as_it_stands(tmp_path: Path) -> None:
    folder = AnyApp("vertical-fl", tmp_path, kept=False).train("straight")
    accuracies = json.loads((folder / "accuracies.json").read_text())
    assert [number for number, accuracy in accuracies] == list(range(1, 21))
    assert accuracies[-1][1] > max(0.9, accuracies[0][1])


@every_app
def test_a_killed_run_resumes_with_the_true_rounds_and_ends_with_the_same_bytes(tmp_path: Path, name: str) -> None:
    app = AnyApp(name, tmp_path)
    straight = app.train("straight", **{"num-server-rounds": ROUNDS})
    with pytest.raises(Killed):
        app.train("killed", grid={"killed_in_round": 3}, **{"num-server-rounds": ROUNDS})
    killed = app.train("killed", **{"num-server-rounds": ROUNDS})
    assert trained(app.last) == [3, 4, 5]
    assert model_of(name, killed) == model_of(name, straight)
    result, effective = published(tmp_path, "result.json"), published(tmp_path, "effective.json")
    assert result["rounds"] == ROUNDS
    assert effective["kit"]["name"] == "fedops_kit"
    assert effective["resumed_from"]["round"] == 2
    assert effective["strategy"]["name"] == STRATEGIES.get(name, "FedAvg")
    assert effective["promises"]["holds"]
    assert [line["round"] for line in history(tmp_path)] == [1, 2, 3, 4, 5]
    assert {line["replies"] for line in history(tmp_path)} == {ASKED.get(name, len(NODES))}


@every_app
def test_ten_kills_of_its_process_leave_the_bytes_of_an_undisturbed_training(tmp_path: Path, name: str) -> None:
    app = AnyApp(name, tmp_path)
    straight = app.train("straight", **{"num-server-rounds": ROUNDS_TO_KILL})
    chance = random.Random(f"kills of {name}")
    reached = [train_and_kill(app, chance) for _kill in range(KILLS)]
    assert reached == sorted(reached)
    assert 0 < reached[-1] < ROUNDS_TO_KILL
    killed = app.train("killed", **{"num-server-rounds": ROUNDS_TO_KILL})
    assert trained(app.last)[0] == reached[-1] + 1
    assert model_of(name, killed) == model_of(name, straight)


def train_and_kill(app: AnyApp, chance: random.Random) -> int:
    """Train in a process of its own and kill that soon; return the newest round that can be resumed from."""
    signs, told = os.pipe()
    child = os.fork()
    if not child:
        try:
            grid = {"on_the_way": lambda _site, _message: os.write(told, b".")}
            app.train("killed", grid=grid, **{"num-server-rounds": ROUNDS_TO_KILL})
        finally:
            os._exit(1)  # this process is a copy of pytest's
    os.close(told)
    for _sign in range(chance.randrange(2 * SIGNS_OF_A_ROUND)):
        os.read(signs, 1)
    time.sleep(chance.random() * 0.01)
    os.kill(child, signal.SIGKILL)
    os.close(signs)
    _child, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    newest = inspect(str(app.root / "killed")).latest
    return newest.round if newest else 0
