# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading checkpoints: a damaged one is never taken for a good one, and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import MOST_VALUES
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import directory as _checkpoints
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import manifest as _manifest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.lock import open_lock, take_lock
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.manifest import CheckpointError
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.verification import verify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ...saved import save

HASH, OTHER = "a" * 64, "b" * 64


def write(directory: Path, number: int, **changes: object) -> dict[str, object]:
    """Save a checkpoint with the state of an optimizer."""
    members = {"weight.npy": b"array %d" % number, "state/m_t/weight.npy": b"state"}
    state = [{"name": "state/m_t/weight", "shape": [2], "dtype": "float32"}]
    own = {"strategy": "FedAdam", "state_arrays": state, "accuracy": 0.9}
    return save(directory, number, members, **{**own, **changes})


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for number in (2, 9, 10):
        write(tmp_path, number)
    os.symlink("checkpoint_round_10.npz", tmp_path / "checkpoint_latest.npz")
    shutil.copy(tmp_path / "checkpoint_round_10.json", tmp_path / "checkpoint_latest.json")
    return tmp_path


def rounds(checkpoints: object) -> list[int]:
    return [checkpoint.round for checkpoint in checkpoints]


def test_checkpoints_are_listed_by_number_not_by_name(directory: Path) -> None:
    assert rounds(_checkpoints.list_checkpoints(str(directory))) == [2, 9, 10]
    assert _checkpoints.inspect(str(directory)).problems == ()


def test_a_directory_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert _checkpoints.list_checkpoints(str(tmp_path / "none")) == []
    assert _checkpoints.latest_good(str(tmp_path / "none")) is None
    assert _checkpoints.inspect(str(tmp_path / "none")) == _checkpoints.Inspection((), ())


@pytest.mark.parametrize("name", ["checkpoint_round_10.npz", "checkpoint_round_10.json", "checkpoint_latest.npz"])
def test_a_checkpoint_is_verified_by_any_of_its_names(directory: Path, name: str) -> None:
    checkpoint = verify(str(directory / name))
    assert (checkpoint.round, checkpoint.file, checkpoint.loss, checkpoint.accuracy, checkpoint.run_id) == (
        10,
        "checkpoint_round_10.npz",
        0.5,
        0.9,
        "12",
    )


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        ("checkpoint_round_10.npz", flip, "is damaged: its SHA-256 is"),
        ("checkpoint_round_10.npz", shorten, "bytes, its manifest says"),
        ("checkpoint_round_10.npz", Path.unlink, "is missing, though its manifest is there"),
        ("checkpoint_round_10.npz", fifo, "is not a regular file"),
        ("checkpoint_round_10.json", shorten, "is not valid JSON"),
        ("checkpoint_round_10.json", Path.unlink, "is missing, so checkpoint_round_10.npz cannot be trusted"),
        ("checkpoint_round_10.json", fifo, "is not a regular file"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_stepped_over(directory: Path, name: str, harm: object, said: str) -> None:
    harm(directory / name)
    heard: list[str] = []
    good = _checkpoints.latest_good(str(directory), on_problem=heard.append)
    assert good is not None
    assert good.round == 9
    assert len(heard) == 1
    assert name in heard[0]
    assert said in heard[0]
    inspection = _checkpoints.inspect(str(directory))
    assert rounds(inspection.checkpoints) == [2, 9]
    assert inspection.problems[0] == heard[0]
    assert "checkpoint_latest.npz points to checkpoint_round_10.npz" in inspection.problems[1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"round": 9}, "speaks of round 9, its name of round 10"),
        ({"round": True}, "round is True"),
        ({"training": None}, "training is None"),
        ({"sha256": "no"}, "sha256 is 'no'"),
        ({"num_arrays": 2}, "num_arrays is 2, but it lists 1"),
        ({"arrays": [{}]}, "an array in it lacks its name, shape or dtype"),
        ({"arrays": [{"name": "other", "shape": [2], "dtype": "float32"}]}, "are not those that its manifest lists"),
        ({"loss": float("nan")}, "is not valid JSON"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(directory: Path, changes: dict[str, object], said: str) -> None:
    write(directory, 10, **changes)
    with pytest.raises(CheckpointError) as error:
        verify(str(directory / "checkpoint_round_10.npz"))
    assert said in str(error.value)


@pytest.mark.parametrize("field", ["round", "sha256", "configuration_hash", "arrays", "state_prefix", "parent"])
def test_a_manifest_without_a_field_is_refused(directory: Path, field: str) -> None:
    path = directory / "checkpoint_round_10.json"
    manifest = json.loads(path.read_text())
    del manifest[field]
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=f"{field} is missing"):
        verify(str(path))


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [({}, 10), ({"configuration_hash": HASH}, 9), ({"training": "demo"}, 9), ({"configuration_hash": "c" * 64}, None)],
)
def test_the_latest_of_one_training_is_found_among_others(
    directory: Path, wanted: dict[str, str], expected: int | None
) -> None:
    write(directory, 10, configuration_hash=OTHER, training="other")
    found = _checkpoints.latest_good(str(directory), **wanted)
    assert (found and found.round) == expected


@pytest.mark.parametrize("name", ["model.npz", "checkpoint_round_0.npz", "checkpoint_round_01.npz"])
def test_another_name_is_not_a_checkpoint(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        verify(str(tmp_path / name))
    assert _checkpoints.list_rounds(str(tmp_path)) == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_manifest_makes_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    manifest = write(tmp_path, 1)
    field = data.draw(st.sampled_from(sorted(manifest)))
    value = data.draw(json_values)
    write(tmp_path, 1, **{field: value})
    inspection = _checkpoints.inspect(str(tmp_path))
    assert rounds(inspection.checkpoints) in ([], [1])
    assert "checkpoint_round_1" in "".join(inspection.problems)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_flipped_bit_of_the_arrays_goes_unnoticed(tmp_path: Path, data: st.DataObject) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoint_round_1.npz"
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert _checkpoints.latest_good(str(tmp_path)) is None


@pytest.mark.parametrize("special", ["fifo", "zero"])
@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_what_is_no_file_keeps_nobody(tmp_path: Path, suffix: str, special: str) -> None:
    write(tmp_path, 1)
    path = tmp_path / f"checkpoint_round_1.{suffix}"
    path.unlink()
    if special == "fifo":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    heard: list[str] = []
    assert _checkpoints.latest_good(str(tmp_path), on_problem=heard.append) is None
    assert heard == [f"{path} is not a regular file."]


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_a_link_to_a_good_file_is_not_followed(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, 1)
    path = tmp_path / f"checkpoint_round_1.{suffix}"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to("elsewhere")
    assert _checkpoints.latest_good(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": "../../../etc"}, "training is '../../../etc'"),
        ({"training": "a\x1b[2J"}, "training is"),
        ({"configuration_hash": "../x"}, "configuration_hash is"),
        ({"bytes": -1}, "bytes is -1"),
        ({"num_rounds": 10**30}, "num_rounds is"),
        ({"loss": 10**400}, "loss is 1"),
        ({"strategy": ["x"] * 10**5}, "strategy is ['x'"),
        ({"arrays": [{"name": "weight", "shape": [-2], "dtype": "float32"}]}, "an array in it lacks"),
        ({"arrays": [{"name": "weight", "shape": [True], "dtype": "float32"}]}, "an array in it lacks"),
        ({"arrays": [{"name": "weight", "shape": [1] * 65, "dtype": "float32"}]}, "an array in it lacks"),
        ({"arrays": [{"name": "weight", "shape": [2], "dtype": "object"}]}, "an array in it lacks"),
        ({"arrays": [{"name": "weight", "shape": [2], "dtype": "|V0"}]}, "an array in it lacks"),
        ({"state_arrays": [{"name": "weight", "shape": [2], "dtype": "float32"}]}, "two arrays in it have the same"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_sealed_and_absurd_is_none(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    write(tmp_path, 1, **changes)
    with pytest.raises(_manifest.CheckpointError) as caught:
        verify(str(tmp_path / "checkpoint_round_1.json"))
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_number_that_is_none_is_no_json(tmp_path: Path) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoint_round_1.json"
    path.write_text(path.read_text().replace('"loss": 0.5', '"loss": 1e999'))
    with pytest.raises(_manifest.CheckpointError, match="is not valid JSON"):
        verify(str(path))


def test_a_manifest_is_read_only_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoint_round_1.json"
    monkeypatch.setattr(_manifest, "LIMIT", path.stat().st_size)
    assert verify(str(path)).round == 1
    path.write_text(path.read_text() + " ")
    with pytest.raises(_manifest.CheckpointError, match="is no manifest: it has more than"):
        verify(str(path))


def test_a_manifest_of_more_values_than_any_model_has_is_not_parsed(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoint_round_1.json"
    path.write_text('{"configuration": [' + ",".join(["{}"] * (MOST_VALUES // 2 + 1)) + "]}")
    monkeypatch.setattr(_manifest.json, "loads", None)
    with pytest.raises(CheckpointError, match=f"is no manifest: it has more than {MOST_VALUES} values"):
        verify(str(path))


def test_a_lock_that_is_held_is_waited_for_and_told_of_once(tmp_path: Path) -> None:
    held, wanted, told = open_lock(str(tmp_path)), open_lock(str(tmp_path)), []
    assert take_lock(held, 0)
    assert not take_lock(wanted, 0.6, lambda: told.append("held"))
    assert told == ["held"]
    os.close(held)
    assert take_lock(wanted, 0)
    os.close(wanted)


def test_planted_checkpoints_are_stepped_over_only_so_far(directory: Path) -> None:
    for number in range(1000, 1000 + _checkpoints.MOST_DAMAGED - 1):
        (directory / f"checkpoint_round_{number}.json").write_text("{")
    assert _checkpoints.inspect(str(directory), newest=True).latest
    (directory / "checkpoint_round_2000.json").write_text("{")
    found = _checkpoints.inspect(str(directory), newest=True)
    assert (found.latest, len(found.problems)) == (None, _checkpoints.MOST_DAMAGED + 1)
    assert found.problems[0] == f"{directory} has 100 damaged checkpoints. Older ones are not looked at."
