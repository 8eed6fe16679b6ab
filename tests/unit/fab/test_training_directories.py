# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each training has a directory of its own below one path, and no training harms another one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from faults import Died, Disk, Fault
from flwr.app import Array, ArrayRecord
from simulated import Federation, Killed, trained
from test_checkpoint_faults import about

from fedops_app import run, strategies
from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import RunFailedError
from fedops_kit.keeping import begin as begin_kept
from fedops_kit.knowledge._checkpoint.directory import inspect, latest_good, list_rounds
from fedops_kit.knowledge._checkpoint.lock import open_lock, take_lock
from fedops_kit.knowledge._checkpoint.trainings import directory_of
from fedops_kit.knowledge._config.training import Training
from fedops_kit.state import KeptState

ROOT = Path(__file__).parents[3]
DEFAULT = Training.from_variables({})
OTHER = Training.from_variables({"fl_training_name": "other"})


def files(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()}


def test_another_name_in_between_leaves_a_training_alone(federation: Federation) -> None:
    federation.train("straight", num_rounds=4)
    federation.train(num_rounds=2)
    before = {file.name: file.read_bytes() for file in federation.checkpoints().iterdir()}
    assert trained(federation.train(num_rounds=1, training_name="second", strategy="FedAdam")) == [1]
    assert {name: (federation.checkpoints() / name).read_bytes() for name in before} == before
    assert {file.name for file in federation.checkpoints().iterdir()} == {*before, "second", ".saved"}
    assert trained(federation.train(num_rounds=4)) == [3, 4]
    assert federation.arrays(4) == federation.arrays(4, "straight")


def test_the_tip_of_the_demo_leaves_its_training_alone(federation: Federation) -> None:
    (tip,) = [line for line in (ROOT / "testbed" / "demo").read_text().splitlines() if line.startswith("Train again")]
    asked = dict(re.findall(r"-e fl_(\w+)=(\S+)", tip))
    assert asked
    federation.train("straight", num_rounds=3)
    federation.train(num_rounds=2)
    federation.train(num_rounds=1, **asked)
    assert trained(federation.train(num_rounds=3, resume="require")) == [3]
    assert federation.arrays(3) == federation.arrays(3, "straight")


def test_a_training_of_another_name_has_the_same_files_in_its_folder(federation: Federation) -> None:
    federation.train("one", num_rounds=2)
    federation.train("other", num_rounds=2, training_name="second")
    expected = {f"checkpoint_{which}.{kind}" for which in ("round_1", "round_2", "latest") for kind in ("npz", "json")}
    expected.add(".lock")
    assert files(federation.checkpoints("one")) == expected
    assert files(federation.checkpoints("other")) == {f"second/{name}" for name in expected} | {".saved"}
    assert federation.arrays(2, "one") == federation.arrays(2, "other/second")
    assert trained(federation.train("other", num_rounds=3, training_name="second", resume="require")) == [3]


def test_two_trainings_save_below_one_path_at_once(federation: Federation) -> None:
    federation.train(num_rounds=1)
    with CheckpointDirectory(str(federation.checkpoints())).locked():
        assert trained(federation.train(num_rounds=1, training_name="second")) == [1]


def begun_where_the_default_one_is(federation: Federation, where: str, rounds: int, **more: object) -> None:
    """Train as releases did in which every training saved in the path itself."""
    federation.train(f"{where}/second", training_name="second", num_rounds=rounds, **more)
    for file in (federation.checkpoints(where) / "second").iterdir():
        file.rename(federation.checkpoints(where) / file.name)
    (federation.checkpoints(where) / "second").rmdir()


def test_a_training_goes_on_where_it_has_begun(federation: Federation) -> None:
    federation.train("straight", num_rounds=5)
    begun_where_the_default_one_is(federation, "here", 2)
    with pytest.raises(Killed):
        federation.train("here", training_name="second", num_rounds=5, grid={"killed_in_round": 4})
    assert trained(federation.train("here", training_name="second", num_rounds=5)) == [4, 5]
    assert federation.arrays(5, "here") == federation.arrays(5, "straight")
    assert not (federation.checkpoints("here") / "second").exists()


def test_the_default_training_moves_what_another_has_left_to_where_that_one_finds_it(federation: Federation) -> None:
    federation.train("straight", num_rounds=4)
    begun_where_the_default_one_is(federation, "here", 2)
    assert trained(federation.train("here", num_rounds=1, strategy="FedAdam")) == [1]
    assert not (federation.checkpoints("here") / "previous").exists()
    assert inspect(str(federation.checkpoints("here/second"))).problems == ()
    assert trained(federation.train("here", training_name="second", num_rounds=4, resume="require")) == [3, 4]
    assert federation.arrays(4, "here/second") == federation.arrays(4, "straight")
    assert list_rounds(str(federation.checkpoints("here"))) == [1]


def test_what_lies_in_the_way_of_the_same_name_is_put_aside(federation: Federation) -> None:
    begun_where_the_default_one_is(federation, "here", 2)
    federation.train("here/second", training_name="second", num_rounds=1, strategy="FedAdam")
    federation.train("here", num_rounds=1)
    assert list_rounds(str(federation.checkpoints("here/second"))) == [1]
    (aside,) = (federation.checkpoints("here") / "previous").iterdir()
    assert list_rounds(str(aside)) == [1, 2]


def save(directory: CheckpointDirectory, number: int, training: Training) -> None:
    directory.save(model(number), {}, about(training, number, loss=None))


def model(number: int) -> ArrayRecord:
    return ArrayRecord({"weight": Array(np.full((3, 5), number, np.float32))})


def begin(path: Path, training: Training) -> int:
    """Begin as a run does that is given this path; return the rounds that are trained."""
    own = directory_of(str(path), str(training.values["training_name"]), strict=True)
    directory = CheckpointDirectory(own, shared=str(path))
    with directory.locked():
        return begin_kept(run.terms(training, 1), directory, KeptState(strategies.build(training)), model(0))[
            0
        ].rounds_done


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A path in which a training of another name has saved two rounds."""
    directory = CheckpointDirectory(str(tmp_path / "shared"))
    with directory.locked():
        save(directory, 4, OTHER)
        save(directory, 5, OTHER)
    return tmp_path / "shared"


@pytest.mark.parametrize("links", [True, False])
def test_a_move_that_dies_at_any_call_leaves_the_newest_checkpoint_where_its_training_looks(
    shared: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr("os.link", refuse)
    with Disk(shared) as disk:
        begin(shared, DEFAULT)
    assert sum(call.startswith("unlink") for call in disk.calls) >= 4
    for at in range(len(disk.calls)):
        path = shared.with_name(f"died-{at}")
        with CheckpointDirectory(str(path)).locked():
            save(CheckpointDirectory(str(path)), 4, OTHER)
            save(CheckpointDirectory(str(path)), 5, OTHER)
        with Disk(path, Fault(at)), pytest.raises(Died):
            begin(path, DEFAULT)
        assert latest_good(directory_of(str(path), "other"), OTHER.configuration_hash, "other").round == 5
        copy = shared.with_name(f"copy-{at}")
        shutil.copytree(path, copy, symlinks=True)
        assert begin(copy, OTHER) == 5, disk.calls[at]  # at once
        assert begin(path, DEFAULT) == 0
        assert begin(path, OTHER) == 5, disk.calls[at]  # after the move was tried again


def refuse(*dummy: object, **more: object) -> None:
    raise PermissionError


def test_nothing_is_moved_to_where_a_run_saves(shared: Path) -> None:
    (shared / "other").mkdir()
    assert take_lock(open_lock(str(shared / "other")), 0)
    assert begin(shared, DEFAULT) == 0
    assert list_rounds(str(shared / "other")) == []
    (aside,) = (shared / "previous").iterdir()
    assert list_rounds(str(aside)) == [4, 5]


def test_no_folder_is_made_for_others_in_that_of_a_training(shared: Path) -> None:
    directory = CheckpointDirectory(str(shared))
    with directory.locked():
        assert directory.hand_over([4, 5], "other") is None


def test_a_directory_that_two_were_given_is_told_apart_by_name(federation: Federation) -> None:
    federation.train("second", num_rounds=1)
    with pytest.raises(RunFailedError, match="is of another training: training_name 'default', now 'second'"):
        federation.train("second", num_rounds=1, training_name="second", resume="require")
    federation.train("second", num_rounds=1, training_name="second")
    (aside,) = (federation.checkpoints("second") / "previous").iterdir()  # the default one has no folder
    assert aside.name.startswith("default-")
