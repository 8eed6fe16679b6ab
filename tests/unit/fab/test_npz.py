# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays become the file that numpy and zipfile would write, whole, whatever their sizes."""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
from collections.abc import Mapping
from io import BytesIO, FileIO
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array
from numpy.typing import NDArray

from fedops_kit import npz

Arrays = Mapping[str, Array | NDArray]


class Sequential(BytesIO):
    """A file that can only be written front to back."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError("not seekable")


def written_plainly(arrays: Arrays) -> bytes:
    stream = Sequential()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w") as member:
                values = array.numpy() if isinstance(array, Array) else array
                np.lib.format.write_array(member, values, allow_pickle=False)
    return stream.getvalue()


def test_the_file_of_a_model_of_usual_size_does_not_depend_on_the_release_of_python(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with open(path, "wb", buffering=0) as stream:
        npz.write(stream, {"weight": Array(numbers(1000))})
    with zipfile.ZipFile(path) as archive:
        (member,) = archive.infolist()
    assert (member.extract_version, member.extra) == (20, b"")  # no ZIP64, which each release fills in differently
    assert path.read_bytes()[4] == 20


def numbers(*shape: int) -> NDArray:
    return np.random.default_rng(shape[0]).random(shape)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"scalar": Array(np.array(1.5)), "empty": Array(np.zeros((0, 3)))},
        {"large": Array(numbers(300_001)), "state/large": numbers(200, 1201)},
        {f"layer{number}": Array(numbers(number)) for number in range(400)},
        {"small": numbers(7), "large": Array(numbers(2**17)), "other": numbers(8_191), "whole": Array(numbers(2**18))},
        {"columns": np.asfortranarray(numbers(300, 500)), "every other": numbers(600, 500)[:, ::2]},
        {"half": Array(numbers(70_000).astype(np.float16)), "integers": np.arange(300_000, dtype=">i4")},
    ],
    ids=["nothing", "without content", "large", "many small", "mixed", "not contiguous", "types"],
)
def test_the_file_is_the_one_that_zipfile_writes(tmp_path: Path, arrays: Arrays) -> None:
    path = tmp_path / "arrays.npz"
    with open(path, "wb", buffering=0) as stream:
        written = npz.write(stream, arrays)
    content = path.read_bytes()
    assert content == written_plainly(arrays)
    assert written == npz.Written(hashlib.sha256(content).hexdigest(), len(content))


def test_writes_that_the_system_cuts_short_are_completed(tmp_path: Path) -> None:
    class Reluctant(FileIO):
        def write(self, data: memoryview) -> int:
            return super().write(data[: len(data) // 2 + 1])

    arrays = {"large": Array(numbers(300_001)), "small": numbers(7)}
    with Reluctant(tmp_path / "arrays.npz", "w") as stream:
        npz.write(stream, arrays)
    assert (tmp_path / "arrays.npz").read_bytes() == written_plainly(arrays)


def test_a_failed_write_is_raised_and_leaves_no_thread(tmp_path: Path) -> None:
    class Full(FileIO):
        def write(self, data: memoryview) -> int:
            raise OSError(28, "No space left on device")

    threads = set(threading.enumerate())
    with Full(tmp_path / "arrays.npz", "w") as stream, pytest.raises(OSError, match="No space left"):
        npz.write(stream, {"large": Array(numbers(300_001))})
    assert set(threading.enumerate()) == threads


def test_everything_is_written_before_it_is_forced_onto_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays, sizes = {"large": Array(numbers(300_001)), "small": numbers(7)}, []
    monkeypatch.setattr(npz.os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    with open(tmp_path / "arrays.npz", "wb", buffering=0) as stream:
        npz.write(stream, arrays)
    assert sizes == [len(written_plainly(arrays))]


def test_advice_that_a_file_system_refuses_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(npz.os, "posix_fadvise", refuse)
    with open(tmp_path / "arrays.npz", "wb", buffering=0) as stream:
        npz.write(stream, {"one": numbers(9)})
    assert (tmp_path / "arrays.npz").read_bytes() == written_plainly({"one": numbers(9)})
