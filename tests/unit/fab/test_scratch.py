# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies that lie in files: the same bytes come of them, the disk is left as it was, and memory is spared."""

from __future__ import annotations

import copy
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import test_pulling
from flwr.app import Array, ArrayRecord
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects
from simulated import Federation
from test_packing import BOUND, HOSTILE
from test_pulling import ALICE, BOB, SuperLink, asked_of, reply_of

from fedops_kit import by_piece, dtypes, mapped, scratch
from fedops_kit.arrays import view
from fedops_kit.grid import SteadyGrid
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.mapped import Mapped
from fedops_kit.packing import PackingError, pack, unpack
from fedops_kit.scratch import Scratch

grid = test_pulling.grid


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where replies are put, however few and small they are."""
    (place := tmp_path / "scratch").mkdir()
    monkeypatch.setenv(scratch.DIRECTORY, str(place))
    monkeypatch.setattr(scratch, "SMALL", 1)
    monkeypatch.setattr(scratch, "_SPARE", 0)
    monkeypatch.setattr(mapped, "_COPIED", 0)
    monkeypatch.setattr(by_piece, "TOGETHER", 112)
    return place


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many arrays were put into each file."""
    counts: list[int] = []
    keep = Scratch.keep

    def counting(own: Scratch, arrays: object, total: int) -> object:
        made = keep(own, arrays, total)
        counts.append(len(made or ()))
        return made

    monkeypatch.setattr(Scratch, "keep", counting)
    return counts


def open_files() -> int:
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # one of them is that of the list
            found += os.readlink(f"/proc/self/fd/{number}").endswith("(deleted)")
    return found


CASES = [*((name, {}) for name in STRATEGIES), ("FedMedian", {"nnm_malicious": 1}), ("FedAdam", {"variant": "paper"})]


@pytest.mark.parametrize(("strategy", "more"), CASES)
def test_every_strategy_makes_the_same_bytes_of_replies_in_files(
    federation: Federation, place: Path, kept: list[int], monkeypatch, strategy: str, more: dict
) -> None:
    asked = {"strategy": strategy, "num_rounds": 2, "num_malicious": 1 if strategy == "Bulyan" else 0, **more}
    federation.train("files", **asked)
    assert len(kept) == 2 * (1 + 7)  # the model that is sent, and what comes back
    assert all(kept)
    monkeypatch.setattr(scratch, "SMALL", 1 << 60)
    monkeypatch.setattr(by_piece, "TOGETHER", 1 << 60)
    federation.train("memory", **asked)
    assert federation.arrays(2, "files") == federation.arrays(2, "memory")
    assert os.listdir(place) == []


def test_nothing_of_a_round_is_left_on_the_disk(federation: Federation, place: Path, kept: list[int]) -> None:
    before = open_files()
    federation.train(num_rounds=3)
    gc.collect()
    assert open_files() == before
    assert os.listdir(place) == []


def full(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr("os.statvfs", lambda path: SimpleNamespace(f_bavail=free, f_frsize=1))


def test_a_full_disk_costs_memory_and_no_reply(
    federation: Federation, place: Path, kept: list[int], monkeypatch, caplog
) -> None:
    federation.train("room", num_rounds=2)
    rooms = Scratch.check

    def check(own: Scratch, more: int) -> None:
        if len(kept) % 2:
            raise OSError(28, "No space left on device")
        rooms(own, more)

    monkeypatch.setattr(Scratch, "check", check)
    federation.train("full", num_rounds=2)
    assert federation.arrays(2, "full") == federation.arrays(2, "room")
    told = [record.getMessage() for record in caplog.records if "stay in memory" in record.getMessage()]
    assert told == [
        "The replies of a round stay in memory, all of them at a time: on the disk of"
        f" {place} (FEDOPS_SCRATCH_DIR), No space left on device."
    ]


def test_room_is_left_to_the_next_checkpoint_where_it_shares_the_disk(place: Path, tmp_path: Path, monkeypatch) -> None:
    here, elsewhere = Scratch(str(tmp_path / "checkpoints" / "default")), Scratch("/proc/self")
    for each in (here, elsewhere):
        assert each.serves(10**9, 3)
    full(monkeypatch, 5 * 10**9)
    here.check(10**9)
    with pytest.raises(OSError, match="5.0 GB are free, of which 4.0 GB are left to the next checkpoint and others"):
        here.check(10**9 + 1)
    elsewhere.check(5 * 10**9)


def test_small_rounds_and_disks_that_are_memory_need_no_files(monkeypatch, caplog) -> None:
    assert not Scratch().serves(10**6, 50)
    monkeypatch.setattr(scratch, "_is_in_memory", lambda path: True)
    assert not Scratch().serves(10**8, 2)
    assert "/var/tmp (FEDOPS_SCRATCH_DIR), which is itself in memory, there is no room that is not." in caplog.text


def test_a_disk_that_is_memory_is_known_as_one() -> None:
    assert scratch._is_in_memory("/dev/shm")
    assert not scratch._is_in_memory("/nowhere")


ARRAYS = {
    "float32": np.arange(12, dtype=np.float32).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "float16": np.arange(5, dtype=np.float16),
    "odd": np.array([True, False, True]),
    "after": np.arange(3, dtype=np.int64),
    "number": np.array(7.5),
    "none": np.zeros((0, 3), np.float32),
    "other": np.arange(3, dtype=">f4"),
}


def record_of(**arrays: np.ndarray) -> ArrayRecord:
    record = ArrayRecord()
    for name, values in arrays.items():
        record[name] = Array(values)
    return record


@pytest.mark.parametrize("is_packed", [False, True])
def test_an_array_in_a_file_is_the_same_array(place: Path, is_packed: bool) -> None:
    before = record_of(**ARRAYS)
    content = asked_of(1)[0].content
    content["arrays"] = record_of(**ARRAYS)
    content = pack(content) if is_packed else content
    Scratch().store(content.array_records.values())
    content = unpack(content) if is_packed else content
    assert all(isinstance(array, Mapped) for array in content["arrays"].values())
    for name, array in content["arrays"].items():
        plain = before[name]
        assert (array.dtype, array.shape, array.stype, array.data) == (
            plain.dtype, plain.shape, plain.stype, plain.data,
        )  # fmt: skip
        for _time in range(2):  # what one writes to nobody else sees
            values = array.numpy()
            np.testing.assert_array_equal(values, plain.numpy())
            assert values.dtype == plain.numpy().dtype
            assert values.flags.f_contiguous == plain.numpy().flags.f_contiguous
            values[...] = 0
        np.testing.assert_array_equal(view(array), plain.numpy())
        np.testing.assert_array_equal(dtypes.widened(array).numpy(), dtypes.widened(plain).numpy())
        assert copy.deepcopy(array).__class__ is Array
        # A strategy may send on what a site has sent.
        assert {key: each.deflate() for key, each in get_all_nested_objects(array).items()} == {
            key: each.deflate() for key, each in get_all_nested_objects(plain).items()
        }
        array.data = Array(np.ones(2)).data
        assert array.numpy().tolist() == [1, 1]


@pytest.mark.parametrize("shape", [(33,), (3, 11), (40, 1), (2, 3, 7)])
@pytest.mark.parametrize("replies", [3, 8, 13])
def test_an_array_in_pieces_has_the_median_and_the_mean_of_the_whole(shape: tuple, replies: int, monkeypatch) -> None:
    monkeypatch.setattr(by_piece, "TOGETHER", 16 * replies)
    rng = np.random.default_rng(replies)
    records = [
        record_of(w=rng.standard_normal(shape, np.float32), b=rng.standard_normal(3)) for dummy in range(replies)
    ]
    pieces = by_piece.Pieces.of(records)
    assert pieces.counts == {"w": -(-int(np.prod(shape)) // 16)}
    divided = [pieces.divided(record) for record in records]
    rules: list[Callable] = [
        lambda rows: np.median(rows, axis=0),
        lambda rows: np.sort(rows, axis=0)[1:-1].mean(axis=0),
    ]
    for rule in rules:
        made = record_of(**{name: rule(np.stack([each[name].numpy() for each in divided])) for name in divided[0]})
        joined = pieces.joined(made)
        assert list(joined) == ["w", "b"]
        for name in joined:
            whole = rule(np.stack([record[name].numpy() for record in records]))
            assert joined[name].data == Array(np.asarray(whole)).data


def test_an_array_that_lies_by_columns_stays_whole(monkeypatch) -> None:
    monkeypatch.setattr(by_piece, "TOGETHER", 4)
    assert not by_piece.Pieces.of([record_of(w=ARRAYS["float32"]), record_of(w=ARRAYS["columns"])]).counts


def test_pieces_of_a_reply_wait_on_the_disk(grid, place: Path, kept: list[int]) -> None:
    grid._client = SuperLink(reply_of(ALICE), reply_of(BOB))
    replies = list(SteadyGrid(grid, 1).send_and_receive(asked_of(ALICE, BOB), timeout=30))
    assert [type(reply.content["arrays"]["weight"]) for reply in replies] == [Mapped, Mapped]
    assert [reply.content["arrays"]["weight"].numpy()[0] for reply in replies] == [ALICE, BOB]
    assert kept[:2] == [1, 1]


@pytest.mark.parametrize("strategy", ["FedAvg", "FedMedian"])
def test_the_memory_of_a_round_does_not_grow_with_the_replies(strategy: str) -> None:
    """Whole replies in memory take a model each."""
    program = [sys.executable, str(Path(__file__).with_name("memory_of_a_round.py")), strategy, "24"]
    ran = [
        subprocess.run([*program, "2", replies, "packed"], capture_output=True, text=True, check=True)
        for replies in ("3", "9")
    ]
    few, many = (float(each.stdout.split()[0]) for each in ran)
    assert many < few + 2


@pytest.mark.parametrize("name", HOSTILE)
def test_a_table_that_lies_about_what_is_in_a_file_is_refused_in_the_same_words(place: Path, name: str) -> None:
    make, said = HOSTILE[name]
    sent = make()
    Scratch().store(sent.array_records.values())
    with pytest.raises(PackingError, match=said):
        unpack(sent, BOUND)
