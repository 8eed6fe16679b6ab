# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to the files of a checkpoint, a damaged one is never loaded: the reader takes the one before it."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from faults import Disk
from flwr.app import ArrayRecord
from test_checkpoint_faults import begin, contents, model, newest, save, save_three

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import NotSavedError, RunFailedError
from fedops_kit.knowledge._checkpoint import directory as layout
from fedops_kit.knowledge._checkpoint.manifest import CheckpointError
from fedops_kit.knowledge._checkpoint.verification import verify

NEWEST = ["checkpoint_round_3.npz", "checkpoint_round_3.json"]
LATEST = ["checkpoint_latest.npz", "checkpoint_latest.json"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return save_three(tmp_path / "checkpoints")


def changed(path: Path, contents: Iterator[bytes]) -> Iterator[int]:
    """Give a file one content after another, and yield how often it has been changed."""
    original = path.read_bytes()
    for number, content in enumerate(contents):
        path.write_bytes(content)
        yield number
    path.write_bytes(original)


def flipped(content: bytes, every_bit: bool) -> Iterator[bytes]:
    for position in range(len(content)):
        for bit in range(8) if every_bit else [position % 8]:
            yield content[:position] + bytes([content[position] ^ (1 << bit)]) + content[position + 1 :]


@pytest.mark.parametrize("name", NEWEST)
def test_a_flipped_bit_anywhere_is_noticed(directory: Path, name: str) -> None:
    for number in changed(directory / name, flipped((directory / name).read_bytes(), name.endswith("json"))):
        with pytest.raises(CheckpointError):
            verify(str(directory / name))
        assert number % 50 or layout.latest_good(str(directory)).round == 2
    assert newest(directory) == 3


@pytest.mark.parametrize("name", LATEST)
def test_a_damaged_latest_misleads_nobody(directory: Path, name: str) -> None:
    content = (directory / "checkpoint_latest.json").read_bytes()
    (directory / name).unlink()
    (directory / name).write_bytes(b"")
    for _number in changed(directory / name, flipped(content[:40], True)):
        assert layout.latest_good(str(directory)).round == 3
        assert len(layout.inspect(str(directory)).problems) == 1
    assert newest(directory) == 3
    assert layout.inspect(str(directory)).problems == ()  # the next run has put it right


@pytest.mark.parametrize("name", NEWEST)
def test_a_file_cut_short_anywhere_is_noticed(directory: Path, name: str) -> None:
    content = (directory / name).read_bytes()
    # Without the line feed at its end, the manifest is still whole.
    ends = range(len(content) - name.endswith("json"))
    for number in changed(directory / name, (content[:end] for end in ends)):
        with pytest.raises(CheckpointError):
            verify(str(directory / name))
        assert number % 50 or layout.latest_good(str(directory)).round == 2
    for _number in changed(directory / name, (content + more for more in (b"\0", b"}", content))):
        assert layout.latest_good(str(directory)).round == 2


def missing(path: Path) -> None:
    path.unlink()


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def circular(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def older(path: Path) -> None:
    shutil.copy(path.with_name(path.name.replace("3", "2")), path)


@pytest.mark.parametrize("harm", [missing, dangling, circular, folder, pipe, older])
@pytest.mark.parametrize("name", NEWEST)
def test_a_file_that_is_none_is_stepped_over(directory: Path, name: str, harm: Callable[[Path], None]) -> None:
    harm(directory / name)
    assert layout.latest_good(str(directory)).round == 2
    assert newest(directory) == 2
    assert layout.inspect(str(directory)).problems == ()


@pytest.mark.parametrize("harm", [missing, dangling, circular, folder, pipe])
def test_no_whole_checkpoint_is_said_to_be_none(directory: Path, harm: Callable[[Path], None]) -> None:
    for number in (1, 2, 3):
        harm(directory / f"checkpoint_round_{number}.json")
    assert layout.latest_good(str(directory)) is None
    assert newest(directory) == 0


@pytest.mark.parametrize("harm", [missing, dangling, circular])
def test_the_link_to_the_latest_is_not_needed(directory: Path, harm: Callable[[Path], None]) -> None:
    harm(directory / "checkpoint_latest.npz")
    with pytest.raises(CheckpointError):
        verify(str(directory / "checkpoint_latest.npz"))
    assert newest(directory) == 3
    assert verify(str(directory / "checkpoint_latest.npz")).round == 3


def hold(path: str, ready: multiprocessing.synchronize.Event) -> None:
    checkpoints = CheckpointDirectory(path, 0, False)
    with checkpoints.locked():
        save(checkpoints, 4)
        ready.set()
        signal.pause()


def test_a_second_writer_waits_for_the_first_and_follows_a_dead_one(directory: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    first = context.Process(target=hold, args=(str(directory), ready))
    first.start()
    try:
        assert ready.wait(20)
        second = CheckpointDirectory(str(directory), 0, False)
        with pytest.raises(RunFailedError, match="another run is saving there"), second.locked(budget=0):
            pass
        os.kill(first.pid, signal.SIGKILL)
        with second.locked(budget=20):
            assert begin(second).rounds_done == 4
            save(second, 5)
    finally:
        first.kill()
        first.join()
    assert newest(directory) == 5


def test_two_writers_that_no_lock_keeps_apart_never_make_a_checkpoint_of_two(directory: Path) -> None:
    """A lock file that was deleted, or an export without locks: one writes while the other stands still at a call."""
    mine, theirs = model(4), model(40)
    for turn in itertools.count(1):
        place = directory.with_name(f"turn{turn}")
        shutil.copytree(directory, place, symlinks=True)
        other = CheckpointDirectory(str(place), 0, False)
        begun: list[int] = []

        def meanwhile(disk: Disk) -> None:
            if len(disk.calls) >= turn and not begun:  # noqa: B023 (used in this turn only)
                begun.append(len(disk.calls))  # noqa: B023
                attempt(other, theirs)  # noqa: B023

        with Disk(place, after=meanwhile):
            attempt(CheckpointDirectory(str(place), 0, False), mine)
        if not begun:
            break
        found = layout.latest_good(str(place))
        assert found.round in (3, 4)
        arrays, state = other.load(found)
        whole = [model(3)] if found.round == 3 else [mine, theirs]
        assert contents(arrays) in [contents(one) for one in whole]
        assert state["m_t/z.weight"].tolist() == arrays["z.weight"].numpy().tolist()
    assert turn > 20


def attempt(directory: CheckpointDirectory, arrays: ArrayRecord) -> None:
    with suppress(NotSavedError):
        save(directory, 4, arrays=arrays)
