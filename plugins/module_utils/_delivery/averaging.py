# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One adapter of several: the mean of each array, weighted by examples, in the steps in which FedAvg computes it.

So what comes of it are the bytes that a round of a federation makes of the same adapters, in the same order.
This module is private to the collection and may change at any time. It needs NumPy.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import typing as t
from contextlib import ExitStack

from .._base.jsonable import harmless
from .._checkpoint import safetensors
from .._checkpoint.bfloat16 import from_float32
from .adapters import AVERAGED_WEIGHTS, MOST_ADAPTER_BYTES, Adapter, AdapterError, opened_adapters
from .contents import ADAPTER_CONFIG

AVERAGE_MANIFEST = "average.json"
AVERAGE_FORMAT = 1


def average_adapters(given: t.Sequence[str], output: str, most_bytes: int = MOST_ADAPTER_BYTES) -> dict[str, t.Any]:
    """Write the average of adapters, as texts PATH:EXAMPLES, to a new folder; return what its manifest says."""
    output = os.path.abspath(output)
    if os.path.lexists(output):
        raise AdapterError(f"{output} is there already. Name a folder that is not.")
    with ExitStack() as stack:
        adapters = opened_adapters(given, stack, most_bytes)
        parent, name = os.path.split(output)
        try:
            os.makedirs(parent, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=parent) as work:
                folder = os.path.join(work, name)
                os.mkdir(folder)
                manifest = _write(adapters, folder)
                os.rename(folder, output)
            _synced(parent)
        except OSError as error:
            raise AdapterError(f"{error.filename or output} cannot be written: {error.strerror}.") from error
    return manifest


def _write(adapters: t.Sequence[Adapter], folder: str) -> dict[str, t.Any]:
    first, total = adapters[0], sum(one.examples for one in adapters)
    _put(os.path.join(folder, ADAPTER_CONFIG), [first.config_text])
    table = safetensors.write_table(
        [(one.name, one.dtype, one.shape) for one in first.entries.values()], {"format": "pt"}
    )
    digest = _put(os.path.join(folder, AVERAGED_WEIGHTS), _pieces(table, adapters))
    base = first.config.get("base_model_name_or_path")
    manifest = {
        "format": AVERAGE_FORMAT,
        "sha256": digest,
        "base_model": harmless(base, 200) if isinstance(base, str) else None,
        "arrays": len(first.entries),
        "numbers": sum(math.prod(one.shape) for one in first.entries.values()),
        "examples": total,
        "adapters": [
            {
                "name": harmless(os.path.basename(os.path.abspath(one.path)), 200),
                "examples": one.examples,
                "file": os.path.basename(one.file),
                "sha256": one.sha256,
            }
            for one in adapters
        ],
    }
    _put(os.path.join(folder, AVERAGE_MANIFEST), [(json.dumps(manifest, indent=2) + "\n").encode()])
    _synced(folder)
    return manifest


def _pieces(table: bytes, adapters: t.Sequence[Adapter]) -> t.Iterator[bytes]:
    yield table
    for name, entry in adapters[0].entries.items():
        made = mean([one.numbers(name) for one in adapters], [one.examples for one in adapters])
        if entry.dtype == "bfloat16":
            yield from_float32(made.reshape(-1)).astype("<u2").tobytes()
        else:
            kind = f"<f{safetensors.KINDS[safetensors.OF_NAME[entry.dtype]][1]}"
            yield made.astype(kind).tobytes()


def mean(arrays: t.Sequence[t.Any], examples: t.Sequence[int]) -> t.Any:
    """Return the weighted mean of arrays of NumPy, one after the other, as Flower's FedAvg adds them up."""
    total = sum(float(one) for one in examples)
    shares = [one / total for one in examples]
    made = arrays[0] * shares[0]
    for array, share in zip(arrays[1:], shares[1:]):
        made += array * share
    return made


def _put(path: str, content: t.Iterable[bytes]) -> str:
    """Write a new file and have it on the disk; return its SHA-256."""
    digest = hashlib.sha256()
    with open(path, "xb") as stream:
        for piece in content:
            digest.update(piece)
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    return digest.hexdigest()


def _synced(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
