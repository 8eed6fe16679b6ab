# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task whose model has buffers: a small residual network in NumPy, with batch normalization or, its twin, group.

Both read the digits of the app's own task. A batch normalization keeps running statistics and counts batches, under the
names and with the rules of PyTorch; a group normalization keeps nothing, so that it is what the other is measured by.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fedops_app import task
from fedops_app.settings import Settings

Arrays = dict[str, NDArray]

BATCH, GROUP = "batch", "group"
WIDTH, GROUPS = 48, 6
MOMENTUM, EPSILON = 0.1, 1e-5
FUNCTIONS = ("initial_arrays", "train", "evaluate", "evaluate_centrally", "buffers")
LAYERS = (("stem", task.PIXELS), ("block", WIDTH))


@dataclass(frozen=True)
class Normalized:
    """The functions of a C(task.py), for one kind of normalization."""

    kind: str = BATCH

    def initial_arrays(self, seed: int) -> Arrays:
        rng = np.random.default_rng(seed)
        arrays: Arrays = {}
        for layer, size in LAYERS:
            arrays[f"{layer}.weight"] = (rng.standard_normal((size, WIDTH)) * np.sqrt(2 / size)).astype(np.float32)
            arrays[f"{layer}.norm.weight"] = np.ones(WIDTH, np.float32)
            arrays[f"{layer}.norm.bias"] = np.zeros(WIDTH, np.float32)
            if self.kind == BATCH:
                arrays[f"{layer}.norm.running_mean"] = np.zeros(WIDTH, np.float32)
                arrays[f"{layer}.norm.running_var"] = np.ones(WIDTH, np.float32)
                arrays[f"{layer}.norm.num_batches_tracked"] = np.array(0, np.int64)
        arrays["head.weight"] = (rng.standard_normal((WIDTH, task.CLASSES)) * np.sqrt(1 / WIDTH)).astype(np.float32)
        arrays["head.bias"] = np.zeros(task.CLASSES, np.float32)
        return arrays

    def buffers(self) -> list[str]:
        return [name for name in self.initial_arrays(0) if name.rpartition(".")[2].startswith(("running", "num"))]

    def train(self, arrays: Arrays, directory: Path, settings: Settings) -> tuple[Arrays, task.Metrics]:
        x, y = task._load(directory / "train.npz")
        rng = np.random.default_rng(settings.seed)
        loss = self._loss_and_accuracy(arrays, x, y)[0]
        model = {name: array.copy() for name, array in arrays.items()}
        for _epoch in range(settings.local_epochs):
            order = rng.permutation(len(y))
            for start in range(0, len(y) - 1, settings.batch_size):  # a batch of one has no variance
                batch = order[start : start + settings.batch_size]
                for name, gradient in self._gradients(model, x[batch], y[batch]).items():
                    gradient = gradient + settings.proximal_mu * (model[name] - arrays[name])
                    model[name] -= np.float32(settings.learning_rate) * gradient.astype(np.float32)
        return model, {"num-examples": len(y), "train_loss": loss}

    def evaluate(self, arrays: Arrays, directory: Path) -> task.Metrics:
        x, y = task._load(directory / "train.npz")
        loss, accuracy = self._loss_and_accuracy(arrays, x, y)
        return {"num-examples": len(y), "loss": loss, "accuracy": accuracy}

    def evaluate_centrally(self, arrays: Arrays, directory: Path) -> task.Metrics | None:
        x, y = task._load(directory / "test.npz")
        loss, accuracy = self._loss_and_accuracy(arrays, x, y)
        return {"num-examples": len(y), "loss": loss, "accuracy": accuracy}

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Be the app's task for a while."""
        before = {name: getattr(task, name) for name in FUNCTIONS if hasattr(task, name)}
        for name in FUNCTIONS:
            setattr(task, name, getattr(self, name))
        try:
            yield
        finally:
            for name in FUNCTIONS:
                vars(task).pop(name, None)
            vars(task).update(before)

    def _normalized(self, values: NDArray) -> tuple[NDArray, NDArray, int]:
        """Return values without mean and with variance 1, by what they were divided, and the axis that was counted."""
        axis = 0 if self.kind == BATCH else 2
        rows = values if self.kind == BATCH else values.reshape(len(values), GROUPS, -1)
        spread = np.sqrt(rows.var(axis, keepdims=True) + EPSILON)
        return (rows - rows.mean(axis, keepdims=True)) / spread, spread, axis

    def _forward(self, model: Arrays, x: NDArray, training: bool) -> tuple[NDArray, list[tuple]]:
        carried: list[tuple] = []
        hidden = x
        for layer, _size in LAYERS:
            values, norm = hidden @ model[f"{layer}.weight"], f"{layer}.norm"
            if self.kind == BATCH and not training:
                deviation = np.sqrt(np.maximum(model[f"{norm}.running_var"], 0) + EPSILON)
                plain = ((values - model[f"{norm}.running_mean"]) / deviation, None, 0)
            else:
                plain = self._normalized(values)
            if self.kind == BATCH and training:
                kept = {"running_mean": values.mean(0), "running_var": values.var(0, ddof=1)}
                for name, seen in kept.items():
                    model[f"{norm}.{name}"] += np.float32(MOMENTUM) * (seen - model[f"{norm}.{name}"])
                model[f"{norm}.num_batches_tracked"] += 1
            scaled = plain[0].reshape(values.shape) * model[f"{norm}.weight"] + model[f"{norm}.bias"]
            carried.append((hidden, plain, scaled))
            active = np.maximum(scaled, 0)
            hidden = active if layer == "stem" else hidden + active
        scores = hidden @ model["head.weight"] + model["head.bias"]
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
        carried.append((hidden,))
        return exponents / exponents.sum(axis=1, keepdims=True), carried

    def _gradients(self, model: Arrays, x: NDArray, y: NDArray) -> Arrays:
        error, carried = self._forward(model, x, training=True)
        error[np.arange(len(y)), y] -= 1
        error /= len(y)
        gradients = {"head.weight": carried[-1][0].T @ error, "head.bias": error.sum(axis=0)}
        back = error @ model["head.weight"].T
        for (layer, _size), (before, (plain, spread, axis), scaled) in zip(LAYERS[::-1], carried[-2::-1], strict=True):
            gate = back * (scaled > 0)
            gradients[f"{layer}.norm.weight"] = (gate * plain.reshape(gate.shape)).sum(axis=0)
            gradients[f"{layer}.norm.bias"] = gate.sum(axis=0)
            inner = (gate * model[f"{layer}.norm.weight"]).reshape(plain.shape)
            mean = inner.mean(axis, keepdims=True) + plain * (inner * plain).mean(axis, keepdims=True)
            values = ((inner - mean) / spread).reshape(gate.shape)
            gradients[f"{layer}.weight"] = before.T @ values
            through = values @ model[f"{layer}.weight"].T
            back = through if layer == "stem" else back + through
        return gradients

    def _loss_and_accuracy(self, arrays: Arrays, x: NDArray, y: NDArray) -> tuple[float, float]:
        found = self._forward(arrays, x, training=False)[0]
        loss = -np.log(np.maximum(found[np.arange(len(y)), y], np.finfo(np.float32).tiny)).mean()
        return float(loss), float((found.argmax(axis=1) == y).mean())
