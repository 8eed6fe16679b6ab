# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint directory holds a complete, verifiable checkpoint at every instant, and no more than it should."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._checkpoint import directory as layout
from fedops_kit.knowledge._checkpoint.checkpoint import Checkpoint
from fedops_kit.knowledge._checkpoint.manifest import sealed
from fedops_kit.knowledge._checkpoint.verification import verify

ARRAYS = {"z.weight": Array(np.arange(6, dtype=np.float32).reshape(2, 3)), "a.bias": Array(np.array(1.5))}
STATE = {"m_t/z.weight": np.ones((2, 3), np.float32)}
ABOUT = {
    "num_rounds": 9,
    "training": "demo",
    "configuration_hash": "c" * 64,
    "configuration": {"strategy": "FedAdam"},
    "strategy": "FedAdam",
    "run_id": "12",
    "app": "fedops/fedops-app 0.1.0 abcdef01",
}


def save(directory: CheckpointDirectory, number: int, loss: float | None = None, **about: object) -> Checkpoint:
    return directory.save(ARRAYS, STATE, {**ABOUT, "round": number, "loss": loss, "accuracy": None, **about})


def rounds(path: Path) -> list[int]:
    return [checkpoint.round for checkpoint in layout.inspect(str(path)).checkpoints]


def test_numpy_opens_a_checkpoint_with_names_and_order(tmp_path: Path) -> None:
    save(CheckpointDirectory(str(tmp_path), 0, False), 1)
    with np.load(tmp_path / "checkpoint_round_1.npz", allow_pickle=False) as archive:
        assert archive.files == ["z.weight", "a.bias", "state/m_t/z.weight"]
        np.testing.assert_array_equal(archive["z.weight"], ARRAYS["z.weight"].numpy())
        assert archive["a.bias"].shape == ()


def test_the_manifest_says_what_the_file_holds(tmp_path: Path) -> None:
    directory = CheckpointDirectory(str(tmp_path), 0, False)
    first, second = save(directory, 2), save(directory, 4, loss=0.5)
    content = (tmp_path / "checkpoint_round_4.npz").read_bytes()
    manifest = json.loads((tmp_path / "checkpoint_round_4.json").read_text())
    assert manifest == {
        **ABOUT,
        "round": 4,
        "loss": 0.5,
        "accuracy": None,
        "timestamp": manifest["timestamp"],
        "file": "checkpoint_round_4.npz",
        "num_arrays": 2,
        "arrays": [
            {"name": "z.weight", "shape": [2, 3], "dtype": "float32"},
            {"name": "a.bias", "shape": [], "dtype": "float64"},
        ],
        "state_prefix": "state/",
        "state_arrays": [{"name": "state/m_t/z.weight", "shape": [2, 3], "dtype": "float32"}],
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "parent": first.sha256,
        "manifest_sha256": manifest["manifest_sha256"],
    }
    assert sealed(manifest) == manifest
    assert json.loads((tmp_path / "checkpoint_latest.json").read_text()) == manifest
    assert os.readlink(tmp_path / "checkpoint_latest.npz") == "checkpoint_round_4.npz"
    assert second.manifest == manifest
    assert layout.inspect(str(tmp_path)).problems == ()


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    directory = CheckpointDirectory(str(tmp_path), 0, False)
    arrays, state = directory.load(save(directory, 1))
    assert {name: array.data for name, array in arrays.items()} == {name: ARRAYS[name].data for name in ARRAYS}
    assert list(arrays) == list(ARRAYS)
    np.testing.assert_equal(state, STATE)


def test_a_model_may_use_the_names_of_the_state(tmp_path: Path) -> None:
    directory = CheckpointDirectory(str(tmp_path), 0, False)
    mine = {"state/m_t/z.weight": ARRAYS["z.weight"], "file": ARRAYS["a.bias"]}
    saved = directory.save(mine, STATE, {**ABOUT, "round": 1, "loss": None, "accuracy": None})
    arrays, state = directory.load(verify(saved.path))
    assert list(arrays) == list(mine)
    np.testing.assert_equal(state, STATE)


@pytest.mark.parametrize(
    ("keep_last", "keep_best", "losses", "kept"),
    [
        (0, False, [5, 4, 3, 2], [1, 2, 3, 4]),
        (2, False, [1, 4, 3, 2], [3, 4]),
        (2, True, [5, 1, 3, 2], [2, 3, 4]),
        (1, True, [4, 3, 2, 1], [4]),
        (2, True, [None, None, None, None], [3, 4]),
    ],
)
def test_the_newest_and_the_best_are_kept(
    tmp_path: Path, keep_last: int, keep_best: bool, losses: list[float | None], kept: list[int]
) -> None:
    directory = CheckpointDirectory(str(tmp_path), keep_last, keep_best)
    for number, loss in enumerate(losses, start=1):
        save(directory, number, loss)
    assert rounds(tmp_path) == kept
    assert len(list(tmp_path.iterdir())) == 2 * len(kept) + 2  # nothing else is left but the latest


def test_without_a_loss_the_best_has_the_highest_accuracy(tmp_path: Path) -> None:
    directory = CheckpointDirectory(str(tmp_path), 1, True)
    for number, accuracy in enumerate([0.5, 0.9, 0.6], start=1):
        save(directory, number, accuracy=accuracy)
    assert rounds(tmp_path) == [2, 3]


def test_two_runs_cannot_save_into_one_directory(tmp_path: Path) -> None:
    one, other = CheckpointDirectory(str(tmp_path), 0, False), CheckpointDirectory(str(tmp_path), 0, False)
    with one.locked(), pytest.raises(RunFailedError, match="another run is saving there"), other.locked(budget=0):
        pass
    with other.locked(budget=0):
        pass


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunFailedError, match="fl_checkpoint_path is .*/file/checkpoints but cannot be written"),
        CheckpointDirectory(str(tmp_path / "file/checkpoints"), 0, False).locked(),
    ):
        pass
