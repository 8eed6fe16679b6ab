# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The model that a training begins with: the app's own, or one that somebody brings along."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from flwr.app import Array, ArrayRecord
from flwr.common.constant import SType

from .dtypes import BFLOAT16
from .dtypes import array as array_of
from .errors import RunFailedError
from .foreign import unsound
from .knowledge._base.reading import sha256_of
from .knowledge._checkpoint import models
from .knowledge._checkpoint.manifest import CheckpointError, opened
from .knowledge._checkpoint.models import CONTROLLER, NPZ, PT, Entry, ModelError
from .knowledge._checkpoint.tensors import TORCH, dtype_of, read_tensors, values_of
from .publish import logger

_RAW = "V2"  # what NumPy makes of bfloat16
_MORE_THAN_NUMBERS = 16 << 20  # bytes of a .pt file beside its numbers: names, and how it is made of them


def first_model(values: Mapping[str, Any], untrained: ArrayRecord) -> ArrayRecord:
    """Return round 0 of a training, given the app's own model; raise RunFailedError where it cannot be had."""
    path, sha256 = (str(values.get(name) or "") for name in ("initial_checkpoint", "initial_sha256"))
    if not (path or sha256):
        return untrained
    if not path:
        raise RunFailedError(
            f"fl_initial_sha256 is {sha256} but fl_initial_checkpoint does not say where that model is,"
            " and there is no checkpoint to go on from. Set it."
        )
    if path.startswith(CONTROLLER):
        raise RunFailedError(
            f"fl_initial_checkpoint is {path}, and only the playbook fedops.flower.train reads on the controller."
        )
    try:
        with opened(path) as stream:
            _expect(path, sha256, sha256_of(stream, os.fstat(stream.fileno()).st_size))
            arrays = _read(path, stream, untrained)
    except OSError as error:
        raise RunFailedError(f"fl_initial_checkpoint is {path}, which cannot be read: {error.strerror}.") from error
    except (CheckpointError, ModelError) as error:
        raise RunFailedError(f"fl_initial_checkpoint cannot be begun with: {error}") from error
    logger.info("The training begins with the model in %s", path)
    return arrays


def _expect(path: str, sha256: str, found: str) -> None:
    if not sha256:
        raise RunFailedError(
            f"fl_initial_checkpoint is {path} without fl_initial_sha256, which tells this training from others."
            f" Set it to {found}, or train by the playbook fedops.flower.train, which does."
        )
    if found != sha256:
        raise RunFailedError(
            f"fl_initial_checkpoint is {path}, whose SHA-256 is {found}, but fl_initial_sha256 is {sha256}."
            " Another model is another training: train again by the playbook fedops.flower.train."
        )


def _read(path: str, stream: IO[bytes], untrained: ArrayRecord) -> ArrayRecord:
    size = os.fstat(stream.fileno()).st_size
    if models.format_of(path) == PT:
        tensors = _tensors(path, stream, size, untrained)
        found = [Entry(name, dtype_of(tensor), tuple(tensor.shape), 0, 0) for name, tensor in tensors.items()]
    else:
        tensors, found = {}, models.entries(stream, path, size)
    expected = {name: (array.dtype, tuple(array.shape)) for name, array in untrained.items()}
    if differences := models.differences(found, expected):
        raise ModelError(f"{path} does not fit the model of the app: {'; '.join(differences)}.")
    taken = models.matched(found, list(expected))
    arrays: dict[str, Array] = {}
    try:
        for name, array in _arrays(path, stream, taken, tensors):
            if unsound({name: array}, untrained):
                raise ValueError(f"{name!r} holds NaN or infinite numbers")
            arrays[name] = array
    except (ValueError, EOFError, RuntimeError, BadZipFile) as error:
        raise ModelError(f"{path} is damaged: {error}.") from error
    return ArrayRecord(arrays)


def _arrays(
    path: str, stream: IO[bytes], taken: Mapping[str, Entry], tensors: Mapping[str, Any]
) -> Iterator[tuple[str, Array]]:
    if tensors:
        yield from ((name, _of_tensor(tensors[entry.name], entry.dtype)) for name, entry in taken.items())
    elif models.format_of(path) == NPZ:
        with ZipFile(stream) as archive:
            for name, entry in taken.items():
                yield name, Array(entry.dtype, entry.shape, SType.NUMPY, archive.read(f"{entry.name}.npy"))
    else:
        for name, entry in taken.items():
            stream.seek(entry.begin)
            kind = _RAW if entry.dtype == BFLOAT16 else entry.dtype
            numbers = np.frombuffer(stream.read(entry.size), np.dtype(kind).newbyteorder("<"))
            yield name, array_of(numbers.astype(kind, copy=False).reshape(entry.shape))


def _of_tensor(tensor: Any, dtype: str) -> Array:
    """Return a tensor as an array; NumPy has no bfloat16, and holds two bytes for each."""
    values = values_of(tensor)
    return array_of(values.view(_RAW) if dtype == BFLOAT16 else values)


def _tensors(path: str, stream: IO[bytes], size: int, untrained: ArrayRecord) -> dict[str, Any]:
    """Return what PyTorch finds in a file of weights; nothing else is loaded."""
    if importlib.util.find_spec(TORCH) is None:
        raise ModelError(f"{path} needs PyTorch, which is not in the environment of the ServerApps.")
    numbers = sum(len(array.data) for array in untrained.values())
    if size > 2 * numbers + _MORE_THAN_NUMBERS:
        raise ModelError(f"{path} has {size} bytes, and the model of the app {numbers}.")
    return read_tensors(path, stream)
