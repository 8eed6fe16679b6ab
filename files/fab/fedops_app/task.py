# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The task: model, data, training and evaluation. Replace this one file to train something else.

The default is a small neural network in NumPy that reads handwritten digits of 8 by 8 pixels.
The app calls the four functions without an underscore; their arrays are dicts, because names survive in checkpoints.
Where the model has arrays that are not learned, such as the running statistics of a batch normalization, a fifth one,
``buffers()``, returns their names (integers and booleans need none).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .descent import descend
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

PIXELS, HIDDEN, CLASSES = 64, 64, 10


def initial_arrays(seed: int) -> Arrays:
    """Return the untrained model: the same for the same seed."""
    rng = np.random.default_rng(seed)
    return {
        "hidden.weight": _random_weights(rng, PIXELS, HIDDEN),
        "hidden.bias": np.zeros(HIDDEN, np.float32),
        "output.weight": _random_weights(rng, HIDDEN, CLASSES),
        "output.bias": np.zeros(CLASSES, np.float32),
    }


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the model on the data of one site; return it with ``num-examples``, ``train_loss`` and ``grad_norm``.

    The loss is that of the model as received, which is what QFedAvg weights a site by. ``grad_norm`` is the mean length
    of the loss' gradient over the steps. With a proximal term there is ``proximal_loss``, its value at the end.
    """
    x, y = _load(data_directory / "train.npz")
    some = part(len(y), settings.most_examples)
    train_loss = _loss_and_accuracy(arrays, x[some], y[some])[0]
    model, reported = descend(arrays, lambda model, batch: _gradients(model, x[batch], y[batch]), len(y), settings)
    return model, {"num-examples": len(y), "train_loss": train_loss, **reported}


def evaluate(arrays: Arrays, data_directory: Path, most_examples: int | None = None) -> Metrics:
    """Evaluate the model on the data of one site: its test set, or its training set when it has no other."""
    test = data_directory / "test.npz"
    return _evaluated(arrays, test if test.exists() else data_directory / "train.npz", most_examples)


def evaluate_centrally(arrays: Arrays, data_directory: Path, most_examples: int | None = None) -> Metrics | None:
    """Evaluate the model on the server's own test set; return None when the server has none."""
    test = data_directory / "test.npz"
    return _evaluated(arrays, test, most_examples) if test.exists() else None


def _evaluated(arrays: Arrays, path: Path, most_examples: int | None) -> Metrics:
    x, y = _load(path)
    some = part(len(y), most_examples)
    loss, accuracy = _loss_and_accuracy(arrays, x[some], y[some])
    return {"num-examples": len(y[some]), "loss": loss, "accuracy": accuracy}


def _load(path: Path) -> tuple[NDArray, NDArray]:
    """Read pixels and labels, and refuse what the model could not learn from."""
    try:
        with np.load(path, allow_pickle=False) as data:
            x, y = data["x"].astype(np.float32), data["y"].astype(np.int64)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{path} is missing. Put the data there: an .npz file with x (float32, n rows of {PIXELS} pixels"
            f" from 0 to 1) and y (int64, n labels from 0 to {CLASSES - 1})."
        ) from None
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an .npz file with the arrays x and y: {error}") from None
    if x.ndim != 2 or x.shape[1] != PIXELS or y.shape != x.shape[:1] or not len(y):
        raise ValueError(
            f"{path} holds x {x.shape} and y {y.shape}; they must be (n, {PIXELS}) and (n,), n at least 1."
        )
    if not np.isfinite(x).all() or y.min() < 0 or y.max() >= CLASSES:
        raise ValueError(f"{path} holds values that are not finite, or labels that are not from 0 to {CLASSES - 1}.")
    return x, y


def _random_weights(rng: np.random.Generator, rows: int, columns: int) -> NDArray:
    return (rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32)


def _forward(arrays: Arrays, x: NDArray) -> tuple[NDArray, NDArray]:
    hidden = np.maximum(x @ arrays["hidden.weight"] + arrays["hidden.bias"], 0)
    scores = hidden @ arrays["output.weight"] + arrays["output.bias"]
    scores -= scores.max(axis=1, keepdims=True)  # keeps exp() finite
    exponents = np.exp(scores)
    return hidden, exponents / exponents.sum(axis=1, keepdims=True)


def _gradients(model: Arrays, x: NDArray, y: NDArray) -> Arrays:
    """Return the gradient of the mean cross-entropy, in the order of the model's arrays."""
    hidden, error = _forward(model, x)
    error[np.arange(len(y)), y] -= 1
    error /= np.float32(len(y))
    back = (error @ model["output.weight"].T) * (hidden > 0)
    return {
        "hidden.weight": x.T @ back,
        "hidden.bias": back.sum(axis=0),
        "output.weight": hidden.T @ error,
        "output.bias": error.sum(axis=0),
    }


def _loss_and_accuracy(arrays: Arrays, x: NDArray, y: NDArray) -> tuple[float, float]:
    probabilities = _forward(arrays, x)[1]
    chosen = probabilities[np.arange(len(y)), y]
    loss = -np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()
    return float(loss), float((probabilities.argmax(axis=1) == y).mean())
