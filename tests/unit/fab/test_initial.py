# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training begins with a model that somebody brings along, exactly, and is another training than one without."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray
from simulated import Federation, Killed, trained

from fedops_kit.errors import RunFailedError
from fedops_kit.initial import first_model
from fedops_kit.knowledge._checkpoint.directory import inspect
from fedops_kit.knowledge._checkpoint.safetensors import write_table

Arrays = dict[str, NDArray]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def asked(path: Path) -> dict[str, object]:
    return {"initial_checkpoint": str(path), "initial_sha256": sha256(path)}


def write(path: Path, arrays: Arrays) -> Path:
    """Write a model as NumPy, safetensors or PyTorch does."""
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        table = write_table([(name, str(array.dtype), array.shape) for name, array in arrays.items()], {})
        path.write_bytes(table + b"".join(array.tobytes() for array in arrays.values()))
    else:
        torch = pytest.importorskip("torch")
        torch.save({name: torch.tensor(array) for name, array in arrays.items()}, path)
    return path


@pytest.fixture
def model(federation: Federation) -> Arrays:
    """The model of a training that was done before."""
    federation.train("before", num_rounds=2)
    with np.load(federation.checkpoints("before") / "checkpoint_latest.npz") as found:
        return {name: found[name] for name in found.files}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_every_format_makes_the_same_training(
    federation: Federation, model: Arrays, tmp_path: Path, suffix: str
) -> None:
    path = write(tmp_path / f"model{suffix}", model)
    assert trained(federation.train("given", num_rounds=2, **asked(path))) == [1, 2]
    federation.train("again", num_rounds=2, **asked(write(tmp_path / "other.npz", model)))
    federation.train("without", num_rounds=2)
    with (
        np.load(federation.checkpoints("given") / "checkpoint_round_2.npz") as one,
        np.load(federation.checkpoints("again") / "checkpoint_round_2.npz") as other,
        np.load(federation.checkpoints("without") / "checkpoint_round_2.npz") as unlike,
    ):
        assert one.files == other.files == unlike.files
        assert all(np.array_equal(one[name], other[name]) for name in one.files)
        assert not all(np.array_equal(one[name], unlike[name]) for name in one.files)


def test_a_killed_one_ends_with_the_bytes_of_an_undisturbed_one_also_when_the_file_is_gone(
    federation: Federation, model: Arrays, tmp_path: Path
) -> None:
    path = write(tmp_path / "model.npz", model)
    given = asked(path)
    federation.train("straight", num_rounds=4, strategy="FedAdam", **given)
    with pytest.raises(Killed):
        federation.train("killed", num_rounds=4, strategy="FedAdam", grid={"killed_in_round": 3}, **given)
    path.unlink()
    resumed = federation.train("killed", num_rounds=4, strategy="FedAdam", resume="require", **given)
    assert trained(resumed) == [3, 4]
    assert federation.arrays(4, "killed") == federation.arrays(4, "straight")


def test_another_model_is_another_training(federation: Federation, model: Arrays, tmp_path: Path) -> None:
    one = asked(write(tmp_path / "one.npz", model))
    federation.train(num_rounds=1, **one)
    effective = federation.published("effective.json")
    assert effective["run_config"]["initial-sha256"] == one["initial_sha256"]
    federation.train(num_rounds=1)
    assert federation.published("effective.json")["configuration_hash"] != effective["configuration_hash"]
    other = asked(write(tmp_path / "other.npz", {name: array + 1 for name, array in model.items()}))
    with pytest.raises(RunFailedError, match=f"initial_sha256 not used, now '{other['initial_sha256']}'"):
        federation.train(num_rounds=1, resume="require", **other)
    # The name of the file is no part of it.
    again = {**one, "initial_checkpoint": str((tmp_path / "one.npz").rename(tmp_path / "renamed.npz"))}
    assert trained(federation.train(num_rounds=2, **again)) == [1, 2]
    assert trained(federation.train(num_rounds=3, **again)) == [3]
    manifest = json.loads((federation.checkpoints() / "checkpoint_latest.json").read_text())
    assert manifest["configuration"]["initial_sha256"] == one["initial_sha256"]


def test_arrays_without_names_and_a_checkpoint_of_ours_will_do(
    federation: Federation, model: Arrays, tmp_path: Path
) -> None:
    np.savez(tmp_path / "unnamed.npz", *model.values())
    untrained = ArrayRecord({name: Array(array) for name, array in model.items()})
    found = first_model(asked(tmp_path / "unnamed.npz"), untrained)
    assert list(found) == list(model)
    assert all(np.array_equal(found[name].numpy(), array) for name, array in model.items())
    federation.train("adam", num_rounds=1, strategy="FedAdam")  # with the state of an optimizer
    first_model(asked(federation.checkpoints("adam") / "checkpoint_round_1.npz"), untrained)


UNTRAINED = ArrayRecord({"w": Array(np.zeros((2, 3), np.float32)), "b": Array(np.zeros(3, np.float32))})


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_all_that_does_not_fit_is_told_at_once(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"m{suffix}", {"w": np.zeros((2, 3)), "c": np.zeros(1, np.int64)})
    with pytest.raises(RunFailedError) as error:
        first_model(asked(path), UNTRAINED)
    assert str(error.value) == (
        f"fl_initial_checkpoint cannot be begun with: {path} does not fit the model of the app: 'w' float64[2, 3] is"
        " float32[2, 3] in the app; 'b' float32[3] is missing; 'c' int64[1] is not in the app."
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_a_model_without_numbers_is_refused(tmp_path: Path, suffix: str) -> None:
    arrays = {"w": np.zeros((2, 3), np.float32), "b": np.array([0, np.nan, 0], np.float32)}
    path = write(tmp_path / f"m{suffix}", arrays)
    with pytest.raises(RunFailedError, match="m.* is damaged: 'b' holds NaN or infinite numbers"):
        first_model(asked(path), UNTRAINED)


def test_what_numpy_has_written_in_fortran_order_is_the_same_numbers(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = write(tmp_path / "m.npz", {"w": np.asfortranarray(values), "b": np.ones(3, np.float32)})
    assert np.array_equal(first_model(asked(path), UNTRAINED)["w"].numpy(), values)


def test_a_byte_that_was_changed_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "m.npz", {"w": np.ones((2, 3), np.float32), "b": np.ones(3, np.float32)})
    given = asked(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(np.ones(3, np.float32).tobytes(), np.full(3, 2, np.float32).tobytes()))
    with pytest.raises(RunFailedError, match=f"whose SHA-256 is {sha256(path)}, but fl_initial_sha256 is"):
        first_model(given, UNTRAINED)
    with pytest.raises(RunFailedError, match="m.npz is damaged: Bad CRC-32"):
        first_model(asked(path), UNTRAINED)


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "m.npz", {"w": np.ones(1)})
    (tmp_path / "link.npz").symlink_to(path)
    for values, said in [
        ({"initial_checkpoint": str(path)}, f"Set it to {sha256(path)}"),
        ({"initial_sha256": "a" * 64}, "fl_initial_checkpoint does not say where that model is"),
        (
            {"initial_checkpoint": "controller:m.npz", "initial_sha256": "a" * 64},
            "only the playbook fedops.flower.train",
        ),
        ({"initial_checkpoint": f"{tmp_path}/none.npz", "initial_sha256": "a" * 64}, "cannot be read: No such file"),
        ({"initial_checkpoint": f"{tmp_path}/link.npz", "initial_sha256": "a" * 64}, "link.npz is not a regular file"),
    ]:
        with pytest.raises(RunFailedError, match=said):
            first_model(values, UNTRAINED)
    assert first_model({}, UNTRAINED) is UNTRAINED


def test_nothing_is_put_aside_for_a_model_that_cannot_be_begun_with(federation: Federation, tmp_path: Path) -> None:
    federation.train(num_rounds=1)
    for mode in ("auto", "never"):
        with pytest.raises(RunFailedError, match="does not fit the model of the app"):
            federation.train(num_rounds=1, resume=mode, **asked(write(tmp_path / "m.npz", {"w": np.ones(1)})))
    assert not (federation.checkpoints() / "previous").exists()


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")

    class Trap:
        def __reduce__(self) -> tuple:
            return Path.touch, (tmp_path / "sprung",)

    for content in ({"w": Trap()}, torch.nn.Linear(1, 1), [torch.zeros(1)], {"state_dict": {}}):
        torch.save(content, tmp_path / "m.pt")
        with pytest.raises(RunFailedError, match="weights alone|no dictionary of tensors|no tensor of numbers"):
            first_model(asked(tmp_path / "m.pt"), UNTRAINED)
    assert not (tmp_path / "sprung").exists()


def test_without_pytorch_its_file_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "m.pt").write_bytes(b"PK")
    with pytest.raises(RunFailedError, match="m.pt needs PyTorch, which is not in the environment of the ServerApps"):
        first_model(asked(tmp_path / "m.pt"), UNTRAINED)


@pytest.fixture
def plain(federation: Federation, model: Arrays) -> Path:
    """What the plain pattern leaves: arrays without names, a copy of the newest, and three facts."""
    path = federation.checkpoints()
    path.mkdir()
    for number in (5, 10):
        np.savez(path / f"checkpoint_round_{number}.npz", *model.values())
    np.savez(path / "checkpoint_latest.npz", *model.values())
    facts = {"round": 10, "timestamp": "2026-01-01T00:00:00", "num_arrays": len(model)}
    (path / "checkpoint_latest.json").write_text(json.dumps(facts))
    return path


def test_checkpoints_of_the_plain_pattern_are_told_and_can_be_begun_with(
    federation: Federation, plain: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RunFailedError, match="They lack the training that they are of") as error:
        federation.train(num_rounds=1, resume="require")
    newest = plain / "checkpoint_round_10.npz"
    assert f"set fl_initial_checkpoint={newest}." in str(error.value)
    assert "cannot be trusted" not in str(error.value)
    assert inspect(str(plain)).problems == (
        f"{plain} holds models of another program (round 5, 10) with round, timestamp and num_arrays alone. They lack"
        " the training that they are of, its configuration, the state of its strategy and every hash, so that nothing"
        f" can go on from them exactly. To begin with the newest of them, set fl_initial_checkpoint={newest}.",
    )
    contents = {file.name: file.read_bytes() for file in plain.iterdir() if file.name != ".lock"}
    assert trained(federation.train(num_rounds=1, **asked(newest))) == [1]
    (aside,) = (plain / "previous").iterdir()
    assert {file.name: file.read_bytes() for file in aside.iterdir()} == contents
    assert f"set fl_initial_checkpoint={aside}/checkpoint_round_10.npz." in caplog.text
    assert "cannot be trusted" not in caplog.text


def test_a_checkpoint_of_ours_without_its_manifest_is_not_taken_for_a_plain_one(federation: Federation) -> None:
    federation.train(num_rounds=2)
    (federation.checkpoints() / "checkpoint_round_2.json").unlink()
    with pytest.raises(RunFailedError, match="checkpoint_round_2.npz cannot be trusted"):
        federation.train(num_rounds=2, seed=7, resume="require")
