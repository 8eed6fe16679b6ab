# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example task in PyTorch really trains, under the same app. Skipped where torch is not installed."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from simulated import Federation, Killed

from fedops_app.settings import Settings

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # for batches as small as these, more threads only wait for one another

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples/pytorch"
APP = ROOT / "files/fab"


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example in the place of the default task."""
    spec = importlib.util.spec_from_file_location("fedops_app.task", EXAMPLE / "task.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("fedops_app.client_app.task", module)
    monkeypatch.setattr("fedops_app.run.task", module)
    return module


def test_a_federation_learns(federation: Federation, task: ModuleType) -> None:
    federation.train(num_rounds=8, local_epochs=4)
    losses = [line["loss"] for line in federation.published("history.jsonl")]
    assert losses[-1] < losses[0] / 2
    assert federation.published("result.json")["accuracy"] > 0.9
    with np.load(federation.checkpoints() / "checkpoint_latest.npz") as archive:
        assert archive.files == list(task.initial_arrays(0))


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "FedAvgM"])
def test_an_interrupted_training_ends_with_the_same_bytes(
    federation: Federation, task: ModuleType, strategy: str
) -> None:
    federation.train("straight", num_rounds=4, strategy=strategy)
    with pytest.raises(Killed):
        federation.train("killed", num_rounds=4, strategy=strategy, grid={"killed_in_round": 3})
    federation.train("killed", num_rounds=4, strategy=strategy)
    assert federation.arrays(4, "killed") == federation.arrays(4, "straight")


def test_the_proximal_term_holds_the_model_back(federation: Federation, task: ModuleType) -> None:
    start, site = task.initial_arrays(0), federation.root / "data/site00"

    def distance(mu: float) -> float:
        settings = Settings(learning_rate=0.1, local_epochs=5, batch_size=8, proximal_mu=mu, seed=1)
        trained = task.train(start, site, settings)[0]
        return sum(float(np.square(trained[name] - start[name]).sum()) for name in start)

    assert distance(5.0) < distance(1.0) < distance(0.0)


class Normalized(torch.nn.Module):
    """What a user makes of the example: with a batch normalization, in one of the types of PyTorch."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        layers = torch.nn.Flatten(), torch.nn.Linear(64, 16), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 10)
        self.layers = torch.nn.Sequential(*layers).to(dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.to(self.layers[1].weight.dtype)).float()


def test_statistics_are_learned_in_training_alone(
    federation: Federation, task: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "Digits", Normalized)
    start, site = task.initial_arrays(0), federation.root / "data/site00"
    settings = Settings(learning_rate=0.1, local_epochs=2, batch_size=8, proximal_mu=0.0, seed=1)
    trained, metrics = task.train(start, site, settings)
    assert trained["layers.2.num_batches_tracked"] == 2 * metrics["num-examples"] / 8
    first = task.evaluate(trained, site)
    # Half of the examples are measured as all of them are: none of them depends on the others.
    with np.load(site / "train.npz") as data:
        half = {name: data[name][: metrics["num-examples"] // 2] for name in ("x", "y")}
        rest = {name: data[name][metrics["num-examples"] // 2 :] for name in ("x", "y")}
    losses = []
    for part in (half, rest):
        np.savez(site / "test.npz", **part)
        losses.append(task.evaluate(trained, site)["loss"])
    assert np.mean(losses) == pytest.approx(first["loss"], rel=1e-5)


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "MultiKrum"])
def test_a_normalization_in_bfloat16_is_trained_and_saved(
    federation: Federation, task: ModuleType, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setattr(task, "Digits", lambda: Normalized(torch.bfloat16))
    federation.train(num_rounds=2, strategy=strategy)
    (_first, line) = federation.published("history.jsonl")
    assert line["replies"] == 7
    with np.load(federation.checkpoints() / "checkpoint_latest.npz") as archive:
        kinds = {name: archive[name].dtype.itemsize for name in task.initial_arrays(0)}
        variance = archive["layers.2.running_var"].view(np.uint16).astype(np.uint32) << 16
        assert {kinds.pop("layers.2.num_batches_tracked"), *kinds.values()} == {8, 2}
        assert (variance.view(np.float32) > 0).all()


def test_the_readmes_steps_make_an_app_that_builds(tmp_path: Path) -> None:
    app = tmp_path / "digits"
    shutil.copytree(APP, app, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLE / "task.py", app / "fedops_app/task.py")
    line = re.search(r'^ *"torch.*",$', (EXAMPLE / "README.md").read_text(), re.MULTILINE).group()
    pyproject = app / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("dependencies = [", f"dependencies = [\n{line}"))
    assert tomllib.loads(pyproject.read_text())["project"]["dependencies"][0].startswith("torch")
    flwr = Path(sys.executable).with_name("flwr")
    built = subprocess.run(
        [flwr, "build", "--app", app], cwd=tmp_path, capture_output=True, text=True, check=False, env={
            "PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FLWR_HOME": str(tmp_path / ".flwr"),
            "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1",
        },
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    assert len(list(tmp_path.glob("*.fab"))) == 1
