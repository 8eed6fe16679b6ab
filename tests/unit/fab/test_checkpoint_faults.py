# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens during a save, at whatever system call, the reader ends with the newest checkpoint that is whole."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import Died, Disk, Fault, Remains, lay_out
from flwr.app import Array, ArrayRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedops_app import run, strategies
from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import NotSavedError, RunFailedError
from fedops_kit.keeping import begin as begin_kept
from fedops_kit.knowledge._checkpoint import directory as layout
from fedops_kit.knowledge._checkpoint.names import LATEST_ARRAYS, LATEST_MANIFEST, PREVIOUS
from fedops_kit.knowledge._config.training import Training
from fedops_kit.resume import Beginning
from fedops_kit.state import KeptState

TRAINING = Training.from_variables({"fl_training_name": "demo", "fl_strategy": "FedAdam"})
OTHER = Training.from_variables({"fl_training_name": "other", "fl_strategy": "FedAdam"})
KEEPING = {"all": (0, False), "the newest and the best": (1, True)}
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.ESTALE]


def model(number: int) -> ArrayRecord:
    values = np.full((3, 5), number, np.float32)
    return ArrayRecord({"z.weight": Array(values), "a.bias": Array(np.asarray(number / 2))})


def save(
    directory: CheckpointDirectory, number: int, training: Training = TRAINING, arrays: ArrayRecord | None = None
) -> None:
    arrays = arrays or model(number)
    # Of the losses, the first is the best.
    directory.save(arrays, {"m_t/z.weight": arrays["z.weight"].numpy()}, about(training, number, abs(number - 1.4)))


def about(training: Training, number: int, loss: float | None) -> dict[str, object]:
    """Return what a ServerApp says of the round that it saves."""
    return {
        "round": number,
        "num_rounds": 9,
        "training": training.values["training_name"],
        "configuration_hash": training.configuration_hash,
        "configuration": training.identity,
        "strategy": training.values["strategy"],
        "run_id": "1",
        "app": "app",
        "loss": loss,
        "accuracy": None,
    }


def save_three(path: Path) -> Path:
    """Save three rounds in a directory of their own."""
    checkpoints = CheckpointDirectory(str(path), 0, False)
    with checkpoints.locked():
        for number in (1, 2, 3):
            save(checkpoints, number)
    return path


def contents(arrays: ArrayRecord) -> dict[str, bytes]:
    return {name: array.data for name, array in arrays.items()}


def begin(directory: CheckpointDirectory, training: Training = TRAINING) -> Beginning:
    """Begin as a run of a training does."""
    return begin_kept(run.terms(training, 1), directory, KeptState(strategies.build(training)), model(0))[0]


def newest(path: Path) -> int:
    """Return the round that both readers end with, after having read it; 0: there is none."""
    found = layout.latest_good(str(path), TRAINING.configuration_hash, "demo")
    number = found.round if found else 0
    with CheckpointDirectory(str(path), 0, False).locked():
        beginning = begin(CheckpointDirectory(str(path), 0, False))
    assert beginning.rounds_done == number
    assert contents(beginning.arrays) == contents(model(number))
    if number:
        np.testing.assert_equal(beginning.state, {"m_t/z.weight": np.full((3, 5), number, np.float32)})
    return number


def goes_on(path: Path, number: int, keeping: tuple[int, bool]) -> None:
    """Expect a next run to save as if nothing had been, and to leave nothing but checkpoints."""
    directory = CheckpointDirectory(str(path), *keeping)
    with directory.locked():
        begin(directory)
        save(directory, number)
    inspection = layout.inspect(str(path))
    assert inspection.problems == ()
    assert inspection.latest.round == number
    kept = [name for checkpoint in inspection.checkpoints for name in (checkpoint.file, checkpoint.file[:-3] + "json")]
    there = {file.name for file in path.iterdir()} - {PREVIOUS}
    assert there == {*kept, LATEST_ARRAYS, LATEST_MANIFEST, ".lock"}


@pytest.fixture(params=KEEPING.values(), ids=KEEPING)
def keeping(request: pytest.FixtureRequest) -> tuple[int, bool]:
    return request.param


@pytest.fixture
def before(tmp_path: Path, keeping: tuple[int, bool]) -> Path:
    """A directory with the checkpoints of two rounds."""
    directory = CheckpointDirectory(str(tmp_path / "before"), *keeping)
    with directory.locked():
        save(directory, 1)
        save(directory, 2)
    return tmp_path / "before"


def calls_of_a_save(before: Path, keeping: tuple[int, bool]) -> list[str]:
    path = before.with_name("counted")
    shutil.copytree(before, path, symlinks=True)
    with Disk(path) as disk:
        save(CheckpointDirectory(str(path), *keeping), 3)
    return disk.calls


def test_a_save_is_seen_call_by_call(before: Path, keeping: tuple[int, bool]) -> None:
    calls = calls_of_a_save(before, keeping)
    changing = [call for call in calls if call.split()[0] in ("create", "fsync", "rename", "symlink", "unlink")]
    assert changing[:10] == [
        "create checkpoint_round_3.npz.partial",
        "fsync checkpoint_round_3.npz.partial",
        "rename checkpoint_round_3.npz",
        "create checkpoint_round_3.json.partial",
        "fsync checkpoint_round_3.json.partial",
        "rename checkpoint_round_3.json",
        "create checkpoint_latest.json.partial",
        "fsync checkpoint_latest.json.partial",
        "rename checkpoint_latest.json",
        "symlink checkpoint_latest.npz.partial",
    ]
    assert [call for call in changing if call.startswith("unlink")] == (
        ["unlink checkpoint_round_2.json", "unlink checkpoint_round_2.npz"] if keeping[0] else []
    )


def test_a_process_that_dies_at_any_call_leaves_a_checkpoint(before: Path, keeping: tuple[int, bool]) -> None:
    seen = set()
    for number, call in enumerate(calls_of_a_save(before, keeping)):
        path = before.with_name(f"dies{number}")
        shutil.copytree(before, path, symlinks=True)
        with Disk(path, Fault(number)), pytest.raises(Died):
            save(CheckpointDirectory(str(path), *keeping), 3)
        found = newest(path)
        assert found in (2, 3), call
        seen.add(found)
        goes_on(path, found + 1, keeping)
    assert seen == {2, 3}


def problem_of_a_save(directory: CheckpointDirectory) -> str | None:
    try:
        save(directory, 3)
    except NotSavedError as error:
        return str(error)
    return None


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_call_that_fails_harms_no_checkpoint_and_saving_recovers(
    before: Path, keeping: tuple[int, bool], error: int, lasting: bool
) -> None:
    untouched = layout.latest_good(str(before)).sha256
    failed = 0
    for number, call in enumerate(calls_of_a_save(before, keeping)):
        path = before.with_name(f"fails{number}")
        shutil.copytree(before, path, symlinks=True)
        directory = CheckpointDirectory(str(path), *keeping)
        with Disk(path, Fault(number, error, lasting)) as disk:
            problem = problem_of_a_save(directory)
        saved = problem is None
        assert saved or os.strerror(error) in problem or "cannot be read" in problem, call
        failed += not saved
        assert saved or layout.find(str(path), untouched), call
        found = layout.latest_good(str(path)).round
        assert found in ((3,) if saved else (2, 3)), call
        if not lasting and not disk.calls[number].startswith("unlink"):
            assert list(path.glob("*.partial")) == [], call
            assert saved or found == 3 or not (path / "checkpoint_round_3.npz").exists(), call
        save(directory, 4)  # the same run, when the disk is well again
        assert list(path.glob("*.partial")) == [], call
        assert newest(path) == 4
        goes_on(path, 5, keeping)
    assert failed > 5


def states_of(path: Path, keeping: tuple[int, bool]) -> tuple[set[Remains], set[Remains]]:
    """Return every state that a power cut may leave of a save: at any moment of it, and after it."""
    during: set[Remains] = set()
    with Disk(path, after=lambda disk: during.update(disk.model.remains())) as disk:
        save(CheckpointDirectory(str(path), *keeping), 3)
    return during, set(disk.model.remains())


def test_a_power_cut_at_any_moment_leaves_a_checkpoint(before: Path, keeping: tuple[int, bool]) -> None:
    path = before.with_name("cut")
    shutil.copytree(before, path, symlinks=True)
    during, after = states_of(path, keeping)
    assert len(during) > 100
    found: set[int] = set()
    for number, remains in enumerate(during):
        place = before.with_name(f"cut{number}")
        place.mkdir()
        lay_out(remains, place)
        latest = newest(place)
        assert latest in ((3,) if remains in after else (2, 3)), sorted(dict(remains))
        found.add(latest)
        if number % 10 == 0:
            goes_on(place, latest + 1, keeping)
        shutil.rmtree(place)
    assert found == {2, 3}


def test_a_power_cut_while_another_training_is_put_aside_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    directory = CheckpointDirectory(str(path), 0, False)
    with directory.locked():
        save(directory, 1, OTHER)
        save(directory, 2, OTHER)
    precious = [checkpoint.sha256 for checkpoint in layout.list_checkpoints(str(path))]
    states: set[Remains] = set()
    with Disk(path, after=lambda disk: states.update(disk.model.remains())):
        begin(directory)
    assert len(states) > 30
    for number, remains in enumerate(states):
        place = tmp_path / str(number)
        place.mkdir()
        lay_out(remains, place)
        assert [layout.find(str(place), sha256) is None for sha256 in precious] == [False, False]
        assert newest(place) == 0
        assert [layout.find(str(place), sha256) is None for sha256 in precious] == [False, False]
        shutil.rmtree(place)


def test_a_process_that_dies_after_its_last_save_is_published_by_the_next(before: Path) -> None:
    calls = calls_of_a_save(before, (0, False))
    with Disk(before, Fault(calls.index("create checkpoint_latest.json.partial"))), pytest.raises(Died):
        save(CheckpointDirectory(str(before), 0, False), 3)
    assert "points to checkpoint_round_2.npz" in layout.inspect(str(before)).problems[0]
    assert newest(before) == 3
    assert layout.inspect(str(before)).problems == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_number_of_faults_later_the_newest_whole_checkpoint_is_found(tmp_path: Path, data: st.DataObject) -> None:
    """Saves in a row, each of which may die, fail, or lose the power; what was reported as saved is there."""
    keeping = data.draw(st.sampled_from(sorted(KEEPING.values())))
    path = tmp_path / "0"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    safe = 0
    for step in range(1, data.draw(st.integers(1, 5)) + 1):
        kind = data.draw(st.sampled_from(["well", "dies", "fails", "power"]))
        fault = Fault(
            data.draw(st.integers(0, 60)) if kind != "well" else 10**6,
            data.draw(st.sampled_from(ERRORS)) if kind == "fails" else None,
            data.draw(st.booleans()),
        )
        directory = CheckpointDirectory(str(path), *keeping)
        with Disk(path, fault) as disk:
            try:
                save(directory, safe + 1)
                safe += 1
            except (Died, RunFailedError):
                pass
        if kind == "power":
            remains = data.draw(st.sampled_from(sorted(disk.model.remains(), key=repr)))
            path = path.with_name(str(int(path.name) + 1))
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
            lay_out(remains, path)
        found = newest(path)
        assert found in (safe, safe + 1), step
        safe = found
