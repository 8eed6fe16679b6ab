# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of a package: the model in a checkpoint as .npz and .safetensors, without what an optimizer carries.

This module is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import math
import os
import typing as t
import zipfile

from .._base.reading import pieces
from .._checkpoint import models, safetensors
from .._checkpoint.checkpoint import Checkpoint
from .._checkpoint.manifest import opened
from .contents import PackageError

_UNITS: t.Mapping[int, t.Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}  # only moved, by their bytes


def write_weights(checkpoint: Checkpoint, directory: str, names: t.Sequence[str]) -> None:
    """Write the model of a verified checkpoint to new files with these names, by their endings."""
    with opened(checkpoint.path) as source:
        found = models.entries(source, checkpoint.path, os.fstat(source.fileno()).st_size)
        known = {entry.name: entry for entry in found}
        entries = [known[one["name"]] for one in checkpoint.manifest["arrays"]]
        for name in names:
            with open(os.path.join(directory, name), "xb") as stream:
                (_write_npz if name.endswith(models.NPZ) else _write_safetensors)(source, entries, stream)


def _write_npz(source: t.IO[bytes], entries: t.Sequence[models.Entry], stream: t.IO[bytes]) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(f"{entry.name}.npy")  # with no time of its own
            info.file_size = entry.size
            source.seek(entry.begin)
            with archive.open(info, "w") as member:
                member.writelines(pieces(source, entry.size))


def _write_safetensors(source: t.IO[bytes], entries: t.Sequence[models.Entry], stream: t.IO[bytes]) -> None:
    try:
        # Who loads it with transformers is asked for a format; the numbers are the same for all.
        table = safetensors.write_table([(one.name, one.dtype, one.shape) for one in entries], {"format": "pt"})
    except ValueError as error:
        raise PackageError(f"The model cannot be packed as safetensors: {error}.") from error
    stream.write(table)
    for entry in entries:
        size = safetensors.KINDS[safetensors.OF_NAME[entry.dtype]][1] * math.prod(entry.shape)
        source.seek(entry.begin + entry.size - size)  # without the header that .npz has
        if entry.in_fortran_order and len(entry.shape) > 1:
            stream.write(_in_c_order(source.read(size), entry.shape))
        else:
            stream.writelines(pieces(source, size))


def _in_c_order(numbers: bytes, shape: t.Sequence[int]) -> bytes:
    """Return numbers with the last index as the one that runs fastest, where the first one did."""
    count = math.prod(shape)
    if not count:
        return numbers
    view = memoryview(numbers).cast(_UNITS[len(numbers) // count])
    begins = [0]
    step = 1
    for length in shape[:-1]:
        begins = [begin + index * step for begin in begins for index in range(length)]
        step *= length
    return b"".join(view[begin::step].tobytes() for begin in begins)
