# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot's policy by behaviour cloning, in NumPy: it learns to do in a state what the episodes show.

The data of a site is a data set in the layout of LeRobot: ``meta/info.json``, and the frames of its episodes in
``data/chunk-*/*.parquet`` (needs pyarrow) or ``*.jsonl`` (a frame a line), with ``observation.state``, ``action`` and
``episode_index``. It takes the place of ``fedops_app/task.py``; everything else of the app stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .descent import descend
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

KNOBS = {
    "state-size": {"default": 4, "minimum": 1, "maximum": 10000},  # numbers of observation.state
    "action-size": {"default": 2, "minimum": 1, "maximum": 10000},
    "hidden": {"default": 32, "minimum": 1, "maximum": 10000},
}

STATE, ACTION, EPISODE = "observation.state", "action", "episode_index"
LAYERS = ("policy.0", "policy.1", "policy.2")


def initial_arrays(seed: int, extra: Mapping[str, Any]) -> Arrays:
    """Return the untrained policy: the same for the same seed."""
    rng = np.random.default_rng(seed)
    sizes = (extra["state-size"], extra["hidden"], extra["hidden"], extra["action-size"])
    arrays = {}
    for name, rows, columns in zip(LAYERS, sizes, sizes[1:], strict=False):
        arrays[f"{name}.weight"] = (rng.standard_normal((rows, columns)) / np.sqrt(rows)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(columns, np.float32)
    return arrays


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the policy on the episodes of one site; return it with ``num-examples`` (frames) and ``train_loss``.

    The loss is that of the policy as received, which is what QFedAvg weights a site by.
    """
    states, actions = _frames(data_directory, "train", settings.extra)
    some = part(len(states), settings.most_examples)
    train_loss = _loss(arrays, states[some], actions[some])

    def gradients_of(policy: Arrays, batch: NDArray) -> Arrays:
        return _gradients(policy, states[batch], actions[batch])

    policy, reported = descend(arrays, gradients_of, len(states), settings)
    return policy, {"num-examples": len(states), "train_loss": train_loss, **reported}


def evaluate(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics:
    """Evaluate the policy on the test episodes of one site, on those for training when it has no others.

    ``loss`` is the mean squared error of the actions.
    """
    states, actions = _frames(data_directory, "test", extra)
    some = part(len(states), most_examples)
    return {"num-examples": len(states[some]), "loss": _loss(arrays, states[some], actions[some])}


def evaluate_centrally(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics | None:
    """Evaluate the policy on the server's own data set; return None when the server has none."""
    return evaluate(arrays, data_directory, extra, most_examples) if _info(data_directory).exists() else None


def _info(directory: Path) -> Path:
    return directory / "meta" / "info.json"


def _frames(directory: Path, split: str, extra: Mapping[str, Any]) -> tuple[NDArray, NDArray]:
    """Read states (n by numbers) and actions (n by numbers) of the episodes of a split."""
    path = _info(directory)
    try:
        info = json.loads(path.read_text("utf-8"))
        splits = dict(info.get("splits", {}))
        features = {name: int(info["features"][name]["shape"][0]) for name in (STATE, ACTION)}
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing. Put a data set in the layout of LeRobot there: meta/info.json, and the frames in data."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{path} cannot be read as the description of a data set: {error!r}. It needs features with the shapes of"
            f" {STATE} and {ACTION}."
        ) from None
    for name, knob in ((STATE, "state-size"), (ACTION, "action-size")):
        if features[name] != extra[knob]:
            raise ValueError(
                f"{path} says that {name} has {features[name]} numbers, and {knob} is {extra[knob]}. Set {knob} in"
                " training_run_config to what every site has."
            )
    first, last = _range(path, splits.get(split) or splits.get("train", "0:"))
    states, actions = [], []
    for file in _files(directory):
        for frame in _read(file):
            try:
                if first <= int(frame[EPISODE]) < last:
                    states.append(np.asarray(frame[STATE], np.float32).reshape(features[STATE]))
                    actions.append(np.asarray(frame[ACTION], np.float32).reshape(features[ACTION]))
            except (KeyError, ValueError, TypeError) as error:
                raise ValueError(
                    f"{file} has a frame that does not fit: {error!r}. Each needs {EPISODE}, {STATE} of"
                    f" {features[STATE]}"
                    f" and {ACTION} of {features[ACTION]} numbers."
                ) from None
    if not states:
        raise ValueError(f"{directory} has no frame of the episodes {first} to {last}. Correct splits in {path}.")
    x, y = np.stack(states), np.stack(actions)
    if not np.isfinite(x).all() or not np.isfinite(y).all():
        raise ValueError(f"{directory} has frames with numbers that are not finite. Remove their episodes.")
    return x, y


def _range(path: Path, split: str) -> tuple[float, float]:
    try:
        first, last = str(split).split(":")
        return float(first or 0), float(last or "inf")
    except ValueError:
        raise ValueError(
            f"{path} has the split {split!r}; it must be the first episode and the one after the last, as 0:50."
        ) from None


def _files(directory: Path) -> list[Path]:
    files = sorted(path for path in directory.glob("data/chunk-*/*") if path.suffix in (".parquet", ".jsonl"))
    if not files:
        raise FileNotFoundError(f"{directory / 'data'} holds no frames. Put chunk-000/*.parquet or *.jsonl there.")
    return files


def _read(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".jsonl":
        try:
            yield from (json.loads(line) for line in path.read_text("utf-8-sig").split("\n") if line.strip())
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be read as JSON, a frame a line: {error}. Write it anew.") from None
        return
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise RuntimeError(f"{path} needs pyarrow. Install it on this host, or write the frames as .jsonl.") from None
    try:
        yield from parquet.read_table(path, columns=[EPISODE, STATE, ACTION]).to_pylist()
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {error}. Copy it there anew.") from None


def _forward(policy: Arrays, states: NDArray) -> list[NDArray]:
    """Return the input and what each layer makes of it; the last one is linear."""
    values = [states]
    for name in LAYERS:
        sums = values[-1] @ policy[f"{name}.weight"] + policy[f"{name}.bias"]
        values.append(sums if name == LAYERS[-1] else np.tanh(sums))
    return values


def _gradients(policy: Arrays, states: NDArray, actions: NDArray) -> Arrays:
    """Return the gradient of the mean squared error, in the order of the policy's arrays."""
    values = _forward(policy, states)
    back = (values[-1] - actions) * values[-1].dtype.type(2 / actions.size)
    found = {}
    for number in reversed(range(len(LAYERS))):
        name = LAYERS[number]
        found[f"{name}.weight"] = values[number].T @ back
        found[f"{name}.bias"] = back.sum(axis=0)
        back = (back @ policy[f"{name}.weight"].T) * (1 - np.square(values[number]))
    return {name: found[name] for name in policy}


def _loss(policy: Arrays, states: NDArray, actions: NDArray) -> float:
    return float(np.square(_forward(policy, states)[-1] - actions).mean())
