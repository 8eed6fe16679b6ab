# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Image classification: a small convolutional network in NumPy, which needs no further package.

Data: ``train.npz`` with ``images`` (uint8, n by height by width, by 1 or 3 channels where there are several) and
``labels`` (n whole numbers from 0, or n names of ``classes``); or a folder ``train`` with a folder of image files for
each class, which needs Pillow. ``test.npz`` or ``test`` likewise, where there is a test set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from .descent import descend
from .settings import Settings, part

Arrays = dict[str, NDArray]
Metrics = dict[str, float]

KNOBS = {
    "classes": "0,1,2,3,4,5,6,7,8,9",  # their names in the order of their numbers, the same at every site
    "image-size": {"default": 32, "minimum": 8, "maximum": 256},  # pixels of a side; other images are scaled
    "colour": {"default": "rgb", "choices": ["rgb", "grey"]},
}

FIRST, SECOND, SIDE = 16, 32, 3  # filters of the two convolutions, and how wide each of them looks
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
AT_ONCE = 256  # images that are evaluated at a time


def initial_arrays(seed: int, extra: Mapping[str, Any]) -> Arrays:
    """Return the untrained model: the same for the same seed."""
    rng = np.random.default_rng(seed)
    channels, left = _channels(extra), extra["image-size"] // 2 // 2
    shapes = {
        "first": (SIDE * SIDE * channels, FIRST),
        "second": (SIDE * SIDE * FIRST, SECOND),
        "output": (left * left * SECOND, len(_classes(extra))),
    }
    arrays = {}
    for name, (rows, columns) in shapes.items():
        arrays[f"{name}.weight"] = (rng.standard_normal((rows, columns)) * np.sqrt(2 / rows)).astype(np.float32)
        arrays[f"{name}.bias"] = np.zeros(columns, np.float32)
    return arrays


def train(arrays: Arrays, data_directory: Path, settings: Settings) -> tuple[Arrays, Metrics]:
    """Train the model on the data of one site; return it with ``num-examples`` and ``train_loss``.

    The loss is that of the model as received, which is what QFedAvg weights a site by.
    """
    x, y = _load(data_directory, "train", settings.extra)
    some = part(len(y), settings.most_examples)
    train_loss = _loss_and_accuracy(arrays, x[some], y[some])[0]
    model, reported = descend(arrays, lambda model, batch: _gradients(model, x[batch], y[batch]), len(y), settings)
    return model, {"num-examples": len(y), "train_loss": train_loss, **reported}


def evaluate(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics:
    """Evaluate the model on the data of one site: its test set, or its training set when it has no other."""
    name = "test" if _has(data_directory, "test") else "train"
    return _evaluated(arrays, data_directory, name, extra, most_examples)


def evaluate_centrally(
    arrays: Arrays, data_directory: Path, extra: Mapping[str, Any], most_examples: int | None = None
) -> Metrics | None:
    """Evaluate the model on the server's own test set; return None when the server has none."""
    if not _has(data_directory, "test"):
        return None
    return _evaluated(arrays, data_directory, "test", extra, most_examples)


def _evaluated(arrays: Arrays, directory: Path, name: str, extra: Mapping[str, Any], most: int | None) -> Metrics:
    x, y = _load(directory, name, extra)
    some = part(len(y), most)
    loss, accuracy = _loss_and_accuracy(arrays, x[some], y[some])
    return {"num-examples": len(y[some]), "loss": loss, "accuracy": accuracy}


def _classes(extra: Mapping[str, Any]) -> list[str]:
    names = [name.strip() for name in str(extra["classes"]).split(",")]
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise ValueError(
            f"classes is {extra['classes']!r} but must be at least two different names, with commas between them."
            " Correct it in training_run_config."
        )
    return names


def _channels(extra: Mapping[str, Any]) -> int:
    return 3 if extra["colour"] == "rgb" else 1


def _has(directory: Path, name: str) -> bool:
    return (directory / f"{name}.npz").exists() or (directory / name).is_dir()


def _load(directory: Path, name: str, extra: Mapping[str, Any]) -> tuple[NDArray, NDArray]:
    """Read images (float32 from -0.5 to 0.5, n by size by size by channels) and the numbers of their classes."""
    archive, folder = directory / f"{name}.npz", directory / name
    classes, size, channels = _classes(extra), extra["image-size"], _channels(extra)
    if archive.exists():
        images, labels = _of_archive(archive, classes)
        x = _scaled(_coloured(images, channels), size)
    elif folder.is_dir():
        x, labels = _of_folder(folder, classes, size, channels)
    else:
        raise FileNotFoundError(
            f"{archive} is missing. Put the data there: an .npz file with images (uint8, n by height by width, by 1 or"
            f" 3 channels) and labels (n whole numbers from 0 to {len(classes) - 1}); or image files in {folder}, a"
            " folder for each class."
        )
    return x.astype(np.float32) / 255 - np.float32(0.5), labels


def _of_archive(path: Path, classes: list[str]) -> tuple[NDArray, NDArray]:
    try:
        with np.load(path, allow_pickle=False) as data:
            images, labels = data["images"], data["labels"]
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as an .npz file with the arrays images and labels: {error}. Write it with"
            " numpy.savez(path, images=..., labels=...)."
        ) from None
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] not in (1, 3)):
        raise ValueError(
            f"{path} has images of {images.dtype} {images.shape}; they must be uint8 (n, height, width), or (n, height,"
            " width, 1 or 3). Convert them."
        )
    if labels.shape != images.shape[:1] or not images.size:
        raise ValueError(
            f"{path} has {len(images)} images and labels {labels.shape}; each image needs one label, and there must be"
            " an image."
        )
    if labels.dtype.kind == "U":
        return images, _numbered(path, labels.tolist(), classes)
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(
            f"{path} has labels of {labels.dtype} from {labels.min()} to {labels.max()}; they must be whole numbers"
            f" from 0 to {len(classes) - 1}, as there are {len(classes)} classes. Correct them, or set classes in"
            " training_run_config."
        )
    return images, labels.astype(np.int64)


def _of_folder(folder: Path, classes: list[str], size: int, channels: int) -> tuple[NDArray, NDArray]:
    try:
        from PIL import Image
    except ImportError:
        raise RuntimeError(
            f"{folder} holds image files, and Pillow, which reads them, is not installed. Install it on this host, or"
            f" write them to {folder}.npz as the arrays images and labels."
        ) from None
    files = [
        (path, kind.name)
        for kind in sorted(folder.iterdir())
        if kind.is_dir()
        for path in sorted(kind.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise ValueError(
            f"{folder} holds no images. Give each class a folder there, with files of {', '.join(SUFFIXES)}."
        )
    labels = _numbered(folder, [kind for _path, kind in files], classes)
    images = []
    for path, _kind in files:
        try:
            with Image.open(path) as image:
                images.append(np.asarray(image.convert("RGB" if channels == 3 else "L").resize((size, size))))
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} cannot be read as an image: {error}. Remove or replace it.") from None
    return np.stack(images).reshape(len(images), size, size, channels), labels


def _numbered(path: Path, names: list[str], classes: list[str]) -> NDArray:
    if strange := sorted(set(names) - set(classes)):
        raise ValueError(
            f"{path} has the class {strange[0]!r}, which is none of {', '.join(classes)}. Rename it, or set classes in"
            " training_run_config."
        )
    return np.array([classes.index(name) for name in names], np.int64)


def _coloured(images: NDArray, channels: int) -> NDArray:
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.shape[3] == channels:
        return images
    return np.repeat(images, 3, axis=3) if channels == 3 else images.mean(axis=3, keepdims=True)


def _scaled(images: NDArray, size: int) -> NDArray:
    """Bring images to a size, by the nearest pixel."""
    rows, columns = (((np.arange(size) + 0.5) * length / size).astype(np.int64) for length in images.shape[1:3])
    return images[:, rows][:, :, columns]


def _patches(x: NDArray) -> NDArray:
    """Return what a filter sees at each pixel, with zeros around the image: n by height by width by values."""
    edge = SIDE // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    windows = sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
    return windows.reshape(*x.shape[:3], -1)


def _unpatched(back: NDArray, channels: int) -> NDArray:
    """Add up, for each value of an image, what flows back through all the patches that it is in."""
    count, height, width, _values = back.shape
    edge = SIDE // 2
    total = np.zeros((count, height + 2 * edge, width + 2 * edge, channels), back.dtype)
    pieces = back.reshape(count, height, width, SIDE, SIDE, channels)
    for row in range(SIDE):
        for column in range(SIDE):
            total[:, row : row + height, column : column + width] += pieces[:, :, :, row, column]
    return total[:, edge:-edge, edge:-edge]


def _pooled(x: NDArray) -> tuple[NDArray, NDArray]:
    """Return the largest of each two by two values, and which one that is."""
    count, height, width, channels = x.shape
    blocks = x[:, : height // 2 * 2, : width // 2 * 2].reshape(count, height // 2, 2, width // 2, 2, channels)
    fours = blocks.transpose(0, 1, 3, 5, 2, 4).reshape(count, height // 2, width // 2, channels, 4)
    place = fours.argmax(axis=4)[..., np.newaxis]
    return np.take_along_axis(fours, place, axis=4)[..., 0], place


def _unpooled(back: NDArray, place: NDArray, shape: tuple[int, ...]) -> NDArray:
    count, height, width, channels = back.shape
    fours = np.zeros((count, height, width, channels, 4), back.dtype)
    np.put_along_axis(fours, place, back[..., np.newaxis], axis=4)
    blocks = fours.reshape(count, height, width, channels, 2, 2).transpose(0, 1, 4, 2, 5, 3)
    total = np.zeros(shape, back.dtype)
    total[:, : 2 * height, : 2 * width] = blocks.reshape(count, 2 * height, 2 * width, channels)
    return total


def _layer(model: Arrays, name: str, x: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Convolve, cut off below zero, and pool; return that and what the way back needs."""
    patches = _patches(x)
    active = np.maximum(patches @ model[f"{name}.weight"] + model[f"{name}.bias"], 0)
    pooled, place = _pooled(active)
    return pooled, patches, active, place


def _probabilities(scores: NDArray) -> NDArray:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))  # keeps exp() finite
    return exponents / exponents.sum(axis=1, keepdims=True)


def _gradients(model: Arrays, x: NDArray, y: NDArray) -> Arrays:
    """Return the gradient of the mean cross-entropy, in the order of the model's arrays."""
    first = _layer(model, "first", x)
    second = _layer(model, "second", first[0])
    flat = second[0].reshape(len(y), -1)
    error = _probabilities(flat @ model["output.weight"] + model["output.bias"])
    error[np.arange(len(y)), y] -= 1
    error /= error.dtype.type(len(y))
    back = (error @ model["output.weight"].T).reshape(second[0].shape)
    found = {"output.weight": flat.T @ error, "output.bias": error.sum(axis=0)}
    for name, (_pooled_values, patches, active, place) in (("second", second), ("first", first)):
        back = _unpooled(back, place, active.shape) * (active > 0)
        found[f"{name}.weight"] = np.tensordot(patches, back, axes=((0, 1, 2), (0, 1, 2)))
        found[f"{name}.bias"] = back.sum(axis=(0, 1, 2))
        if name == "second":
            back = _unpatched(back @ model["second.weight"].T, FIRST)
    return {name: found[name] for name in model}


def _loss_and_accuracy(arrays: Arrays, x: NDArray, y: NDArray) -> tuple[float, float]:
    losses, hits = [], 0
    for start in range(0, len(y), AT_ONCE):
        images, labels = x[start : start + AT_ONCE], y[start : start + AT_ONCE]
        flat = _layer(arrays, "second", _layer(arrays, "first", images)[0])[0].reshape(len(labels), -1)
        probabilities = _probabilities(flat @ arrays["output.weight"] + arrays["output.bias"])
        chosen = probabilities[np.arange(len(labels)), labels]
        losses.append(-np.log(np.maximum(chosen, np.finfo(np.float32).tiny)))
        hits += int((probabilities.argmax(axis=1) == labels).sum())
    return float(np.concatenate(losses).mean()), hits / len(y)
