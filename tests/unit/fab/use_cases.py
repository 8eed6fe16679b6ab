# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small data for each task that the collection brings, and the tasks themselves in the place of the app's own."""

from __future__ import annotations

import csv
import importlib.util
import json
import runpy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from simulated import Federation, digits

from fedops_app.settings import Settings
from fedops_kit.knowledge._config.training import Training

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Shipped:
    """A task, what its knobs are in tests, how its data are made (directory, number of the site), and how it learns."""

    path: str
    data: Callable[[Path, int], None]
    knobs: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    def load(self) -> ModuleType:
        spec = importlib.util.spec_from_file_location("fedops_app.task", ROOT / self.path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def extra(self, module: ModuleType) -> dict[str, Any]:
        defaults = {
            key: said["default"] if isinstance(said, dict) else said
            for key, said in vars(module).get("KNOBS", {}).items()
        }
        return {**defaults, **self.knobs}

    def sites(self, federation: Federation) -> Federation:
        """Give three sites and the server data of this task."""
        federation = Federation(federation.root, sites=3)
        for number, name in enumerate([*federation.names, None]):
            directory = federation.root / "data" / name if name else federation.root / "server"
            shutil.rmtree(directory, ignore_errors=True)
            self.data(directory, number)
        return federation

    def train(self, sites: Federation, module: ModuleType, where: str = "checkpoints", **variables: Any) -> None:
        """Train as it is asked for, with the knobs that tests set."""
        grid = variables.pop("grid", None)
        given = {
            "checkpoint_enabled": True, "checkpoint_interval": 1, "checkpoint_keep_last": 0, "min_available_clients": 3,
            "checkpoint_path": str(sites.checkpoints(where)), **self.variables, **variables,
        }  # fmt: skip
        training = Training.from_variables({f"fl_{name}": value for name, value in given.items()})
        sites.train_run_config({**training.run_config, **self.extra(module)}, grid=grid)

    def put_in_place(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        module = self.load()
        monkeypatch.setattr("fedops_app.client_app.task", module)
        monkeypatch.setattr("fedops_app.run.task", module)
        return module


def pictures(directory: Path, site: int) -> None:
    """A bright bar: upright in class 0, level in class 1, on the diagonal in class 2."""
    rng = np.random.default_rng(site)
    for name, count in (("train", 36 + 6 * site), ("test", 24)):
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 10, 10, 3), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            place = rng.integers(2, 8)
            if label == 2:
                image[np.arange(10), np.arange(10)] = 230
            else:
                image[(slice(None), place) if label == 0 else place] = 230
        directory.mkdir(parents=True, exist_ok=True)
        np.savez(directory / f"{name}.npz", images=images, labels=labels)


def sensors(directory: Path, site: int) -> None:
    """Four sensors that two hidden causes move, in units of each site; anomalies do not follow them."""
    rng = np.random.default_rng(site)
    mixing = np.random.default_rng(7).standard_normal((2, 4))
    directory.mkdir(parents=True, exist_ok=True)
    for name, count, odd in (("train", 120 + 20 * site, 0), ("test", 80, 20)):
        rows = np.tanh(rng.standard_normal((count, 2)) @ mixing) + 0.02 * rng.standard_normal((count, 4))
        labels = np.zeros(count, np.int64)
        if odd:
            rows[:odd], labels[:odd] = rng.uniform(-3, 3, (odd, 4)), 1
        with (directory / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["pressure", "flow", "heat", "current", "label"])
            writer.writerows(
                [*map(float, row), label] for row, label in zip(rows * (site + 1) + 10, labels, strict=True)
            )


def episodes(directory: Path, site: int) -> None:
    """Eight episodes of the example's own arm, two of them for tests."""
    runpy.run_path(str(ROOT / "examples/robot/episodes.py"))["write"](directory, site, 42, 8, 2)


WORDS = ("the pump runs", "the valve is open", "the motor is warm", "oil is low", "the pump is warm", "the valve runs")


def texts(directory: Path, site: int) -> None:
    """Sentences of a few words, which are short and repeat; every site has the same tiny base model."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(site)
    for name, count in (("train", 8 + site), ("test", 4)):
        lines = [{"text": str(rng.choice(WORDS))} for _number in range(count - 1)]
        lines.append({"prompt": "pump? ", "completion": "it runs"})
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    base_model(directory / "base-model")


def base_model(folder: Path) -> None:
    """The example's language model that knows letters, as transformers saves it, of tiny layers; the same each time."""
    runpy.run_path(str(ROOT / "examples/lora/texts.py"))["base_model"](folder, width=16)


def written(directory: Path, site: int) -> None:
    """Digits of 8 by 8 pixels."""
    for name, seed in (("train", site), ("test", 100 + site)):
        digits(directory / f"{name}.npz", seed)


SHIPPED = {
    "digits": Shipped("files/fab/fedops_app/task.py", written, variables={"local_epochs": 2}),
    "image-classification": Shipped(
        "files/use_cases/image-classification/task.py",
        pictures,
        {"classes": "upright,level,diagonal", "image-size": 8},
        {"local_epochs": 4, "batch_size": 12},
    ),
    "anomaly-detection": Shipped(
        "files/use_cases/anomaly-detection/task.py",
        sensors,
        {"sensors": 4, "hidden": 8, "code": 2, "labelled": True},
        {"local_epochs": 4, "client_lr": 0.2, "batch_size": 16},
    ),
    "robot": Shipped("examples/robot/task.py", episodes, {"hidden": 16}, {"local_epochs": 3, "batch_size": 16}),
}
LLM = Shipped(
    "files/use_cases/llm-fine-tuning/task.py",
    texts,
    {"lora-rank": 4, "lora-alpha": 8, "max-length": 24},
    {"client_lr": 0.01, "local_epochs": 2, "batch_size": 4},
)


def settings(extra: dict[str, Any], **given: Any) -> Settings:
    usual = {"learning_rate": 0.05, "local_epochs": 1, "batch_size": 10**6, "proximal_mu": 0.0, "seed": 1}
    return Settings(**{**usual, **given}, extra=extra)
