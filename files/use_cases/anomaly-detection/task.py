# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Anomaly detection: an autoencoder in NumPy learns what sensors say in normal operation.

A row that it cannot rebuild is an anomaly: its error is above the threshold, a quantile of the errors in training.

Data: ``train.csv`` with a line of names and then rows of numbers, one column a sensor; or ``train.npz`` with ``x``
(n by sensors). ``test.csv`` or ``test.npz`` likewise, where there is a test set. A column ``label`` (in an archive
``y``) says 1 of a row that is an anomaly, and 0 of others. Each site scales its sensors by its own training data.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .descent import descend
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

KNOBS = {
    "sensors": {"default": 8, "minimum": 1, "maximum": 10000},  # columns, the same at every site
    "hidden": {"default": 16, "minimum": 1, "maximum": 10000},
    "code": {"default": 3, "minimum": 1, "maximum": 10000},  # to so few numbers a row is compressed
    "threshold-quantile": {"default": 0.99, "minimum": 0, "maximum": 1},
    "labelled": False,  # whether every test set has labels, so that what was found can be held against them
}

LABEL = "label"
LAYERS = ("encoder.hidden", "encoder.code", "decoder.hidden", "decoder.output")


def initial_arrays(seed: int, extra: Mapping[str, Any]) -> Arrays:
    """Return the untrained model: the same for the same seed."""
    rng = np.random.default_rng(seed)
    sensors, hidden, code = (extra[name] for name in ("sensors", "hidden", "code"))
    arrays = {}
    sizes = (sensors, hidden, code, hidden, sensors)
    for name, rows, columns in zip(LAYERS, sizes, sizes[1:], strict=False):
        arrays[f"{name}.weight"] = (rng.standard_normal((rows, columns)) / np.sqrt(rows)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(columns, np.float32)
    return arrays


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the model on the data of one site; return it with ``num-examples`` and ``train_loss``.

    Rows that are labelled as anomalies are left out. The loss is that of the model as received, which is what QFedAvg
    weights a site by.
    """
    rows, labels = _load(data_directory, "train", settings.extra)
    x = _scaled(_normal(rows, labels), *_scale(_normal(rows, labels)))
    train_loss = float(_errors(arrays, x[part(len(x), settings.most_examples)]).mean())
    model, reported = descend(arrays, lambda model, batch: _gradients(model, x[batch]), len(x), settings)
    return model, {"num-examples": len(x), "train_loss": train_loss, **reported}


def evaluate(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics:
    """Evaluate the model on the data of one site: its test set, or its training set when it has no other.

    ``loss`` is the mean squared error of normal rows, ``threshold`` the error above which a row is an anomaly, and
    ``flagged`` the share of all rows that are. With labels there are ``accuracy``, ``precision`` and ``recall``.
    """
    name = "test" if _path(data_directory, "test") else "train"
    return _evaluated(arrays, data_directory, name, extra, most_examples)


def evaluate_centrally(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics | None:
    """Evaluate the model on the server's own test set; return None when the server has none.

    A server without training data takes scale and threshold from the normal rows of its test set.
    """
    if not _path(data_directory, "test"):
        return None
    return _evaluated(arrays, data_directory, "test", extra, most_examples)


def _evaluated(arrays: Arrays, directory: Path, name: str, extra: Mapping[str, Any], most: int | None) -> Metrics:
    rows, labels = _load(directory, name, extra)
    if extra["labelled"] and labels is None:
        raise ValueError(
            f"{_path(directory, name)} has no labels, and labelled is true. Add the column {LABEL} (in an archive the"
            " array y), or set labelled to false in training_run_config."
        )
    known = _load(directory, "train", extra) if name == "test" and _path(directory, "train") else (rows, labels)
    scale = _scale(_normal(*known))
    usual = _scaled(_normal(*known), *scale)
    usual = _errors(arrays, usual[part(len(usual), most)])
    if most:
        rows, labels = _some(rows, labels, most)
    threshold = float(np.quantile(usual, extra["threshold-quantile"]))
    errors = _errors(arrays, _scaled(rows, *scale))
    found = errors > threshold
    metrics = {
        "num-examples": len(rows),
        "loss": float(_normal(errors, labels).mean()),
        "threshold": threshold,
        "flagged": float(found.mean()),
    }
    if extra["labelled"] and labels is not None:
        right = float((found & labels).sum())
        metrics["accuracy"] = float((found == labels).mean())
        metrics["precision"] = right / max(float(found.sum()), 1)
        metrics["recall"] = right / max(float(labels.sum()), 1)
    return metrics


def _some(rows: NDArray, labels: NDArray | None, most: int) -> tuple[NDArray, NDArray | None]:
    """Return part of the rows, of each kind its share, and at least one that is normal."""
    if labels is None:
        return rows[part(len(rows), most)], None
    normal, odd = np.flatnonzero(~labels), np.flatnonzero(labels)
    of_normal = max(1, most * len(normal) // len(labels))
    chosen = [normal[part(len(normal), of_normal)], odd[part(len(odd), most - of_normal)][: most - of_normal]]
    numbers = np.sort(np.concatenate(chosen))
    return rows[numbers], labels[numbers]


def _path(directory: Path, name: str) -> Path | None:
    return next((path for path in (directory / f"{name}.csv", directory / f"{name}.npz") if path.exists()), None)


def _load(directory: Path, name: str, extra: Mapping[str, Any]) -> tuple[NDArray, NDArray | None]:
    """Read rows (n by sensors), and which of them are anomalies where that is said."""
    path, sensors = _path(directory, name), extra["sensors"]
    if path is None:
        raise FileNotFoundError(
            f"{directory / f'{name}.csv'} is missing. Put the data there: a line with the names of {sensors} sensors,"
            f" and {LABEL} where rows are labelled, then a line of numbers for each row; or {name}.npz with x (n by"
            f" {sensors})."
        )
    rows, labels = _of_csv(path) if path.suffix == ".csv" else _of_archive(path)
    if rows.ndim != 2 or rows.shape[1] != sensors or not len(rows):
        raise ValueError(
            f"{path} holds values {rows.shape}; they must be (n, {sensors}), n at least 1. Correct it, or set sensors"
            " in training_run_config."
        )
    if not np.isfinite(rows).all():
        raise ValueError(f"{path} holds values that are not finite in row {_first_bad(rows)}. Correct or remove it.")
    if labels is not None and (labels.shape != (len(rows),) or not np.isin(labels, (0, 1)).all()):
        raise ValueError(
            f"{path} has labels other than 0 (normal) and 1 (an anomaly), or not one for each row. Correct them."
        )
    anomalies = None if labels is None else labels == 1
    if anomalies is not None and anomalies.all():
        raise ValueError(f"{path} has no row with the label 0 (normal), which scale and threshold come from. Add some.")
    return rows, anomalies


def _of_csv(path: Path) -> tuple[NDArray, NDArray | None]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            names = [name.strip() for name in next(csv.reader(stream), [])]
            lines = (line for line in stream if line.strip())
            first = next(lines, None)
            values = (
                np.zeros((0, len(names)))
                if first is None
                else np.loadtxt(chain([first], lines), delimiter=",", comments=None, quotechar='"', ndmin=2)
            )
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}. Write it as UTF-8 text, with commas.") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(
            f"{path} cannot be read as numbers: {error}. Its first line is for names, all others for numbers, as many"
            " as there are names."
        ) from None
    if values.shape[1] != len(names):
        raise ValueError(f"{path} has {values.shape[1]} values in a row, and {len(names)} names. Correct it.")
    if LABEL not in names:
        return values.astype(np.float32), None
    place = names.index(LABEL)
    return np.delete(values, place, axis=1).astype(np.float32), values[:, place]


def _of_archive(path: Path) -> tuple[NDArray, NDArray | None]:
    try:
        with np.load(path, allow_pickle=False) as data:
            return data["x"].astype(np.float32), data["y"].astype(np.float64) if "y" in data else None
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npz file with the array x: {error}. Write it with numpy.savez(path, x=...)."
        ) from None


def _first_bad(rows: NDArray) -> int:
    return int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]) + 1


def _normal(values: NDArray, anomalies: NDArray | None) -> NDArray:
    return values if anomalies is None else values[~anomalies]


def _scale(rows: NDArray) -> tuple[NDArray, NDArray]:
    deviation = rows.std(axis=0)
    return rows.mean(axis=0), np.where(deviation > 0, deviation, np.float32(1))  # 1 for a sensor that never moves


def _scaled(rows: NDArray, mean: NDArray, deviation: NDArray) -> NDArray:
    return (rows - mean) / deviation


def _forward(model: Arrays, x: NDArray) -> list[NDArray]:
    """Return the input and what each layer makes of it; the last one is linear."""
    values = [x]
    for name in LAYERS:
        sums = values[-1] @ model[f"{name}.weight"] + model[f"{name}.bias"]
        values.append(sums if name == LAYERS[-1] else np.tanh(sums))
    return values


def _errors(model: Arrays, x: NDArray) -> NDArray:
    """Return the mean squared error of each row."""
    return np.square(_forward(model, x)[-1] - x).mean(axis=1)


def _gradients(model: Arrays, x: NDArray) -> Arrays:
    """Return the gradient of the mean squared error, in the order of the model's arrays."""
    values = _forward(model, x)
    back = (values[-1] - x) * values[-1].dtype.type(2 / x.size)
    found = {}
    for number in reversed(range(len(LAYERS))):
        name = LAYERS[number]
        found[f"{name}.weight"] = values[number].T @ back
        found[f"{name}.bias"] = back.sum(axis=0)
        back = (back @ model[f"{name}.weight"].T) * (1 - np.square(values[number]))  # unused below the first layer
    return {name: found[name] for name in model}
