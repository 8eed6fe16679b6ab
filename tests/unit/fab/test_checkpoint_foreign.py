# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A checkpoint that somebody made who could write the directory, or its bucket, and who knows how they are sealed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from test_checkpoint_faults import TRAINING, begin, model, newest, save_three

from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._checkpoint import directory as layout
from fedops_kit.knowledge._checkpoint.manifest import CheckpointError, sealed
from fedops_kit.knowledge._checkpoint.verification import verify
from fedops_kit.knowledge._config.training import Training

Members = dict[str, bytes]


def npy(values: np.ndarray, **write: object) -> bytes:
    stream = BytesIO()
    np.lib.format.write_array(stream, values, **write)
    return stream.getvalue()


def header(descr: str, shape: str, numbers: int) -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(numbers)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return save_three(tmp_path / "checkpoints")


def forge(directory: Path, change: Callable[[Members], None], compression: int = 0, **about: object) -> None:
    """Replace the newest checkpoint by one that is whole by its own word."""
    path = directory / "checkpoint_round_3.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    reseal(directory, **about)


def reseal(directory: Path, **about: object) -> None:
    content = (directory / "checkpoint_round_3.npz").read_bytes()
    manifest = json.loads((directory / "checkpoint_round_3.json").read_text())
    manifest.update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content), **about)
    (directory / "checkpoint_round_3.json").write_text(json.dumps(sealed(manifest)))


def put(name: str, content: bytes) -> Callable[[Members], None]:
    return lambda members: members.update({name + ".npy": content})


def nan(*shape: int) -> bytes:
    return npy(np.full(shape, np.nan, np.float32))


WEIGHT, STATE = "z.weight", "state/m_t/z.weight"
FORGED = {
    "NaN": put(WEIGHT, nan(3, 5)),
    "infinite": put(WEIGHT, npy(np.full((3, 5), np.inf, np.float32))),
    "NaN in the state": put(STATE, nan(3, 5)),
    "another shape": put(WEIGHT, npy(np.ones((5, 3), np.float32))),
    "another type": put(WEIGHT, npy(np.ones((3, 5), np.float64))),
    "objects": put(WEIGHT, npy(np.full((3, 5), None), allow_pickle=True)),
    "structured": put(WEIGHT, npy(np.ones((3, 5), [("a", "<f4")]))),
    "text": put(WEIGHT, npy(np.full((3, 5), "a"))),
    "no size": put(WEIGHT, header("|V0", "(-1,)", 0)),
    "no size of text": put(WEIGHT, header("<U0", "(-1,)", 0)),
    "more than there is": put(WEIGHT, header("<f4", "(1099511627776,)", 60)),
    "no array": put(WEIGHT, b"nothing"),
    "empty": put(WEIGHT, b""),
    "a foreign member": put("more", npy(np.ones(3))),
    "a member too few": lambda members: members.pop(STATE + ".npy") and None,
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED)
def test_one_that_is_whole_and_not_the_models_is_stepped_over(
    directory: Path, change: Callable[[Members], None]
) -> None:
    forge(directory, change)
    checkpoints = CheckpointDirectory(str(directory), 0, False)
    with checkpoints.locked():
        beginning = begin(checkpoints)
    assert beginning.rounds_done == 2
    assert [path.name[:7] for path in (directory / "previous").iterdir()] == ["demo-" + TRAINING.configuration_hash[:2]]


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_is_not_unpacked(directory: Path, compression: int) -> None:
    forge(directory, put(WEIGHT, header("<f4", "(3, 5)", 50 << 20)), compression)
    assert newest(directory) == 2


@pytest.mark.parametrize(
    ("name", "shape"), [("state/m_t/a.bias", [3, 5]), ("state/v_t/other", [3, 5]), ("state/x/z.weight", [3, 5])]
)
def test_a_state_that_is_not_the_strategys_is_stepped_over(directory: Path, name: str, shape: list[int]) -> None:
    def rename(members: Members) -> None:
        members[name + ".npy"] = members.pop(STATE + ".npy")

    forge(directory, rename, state_arrays=[{"name": name, "shape": shape, "dtype": "float32"}])
    assert layout.latest_good(str(directory)).round == 3
    with CheckpointDirectory(str(directory), 0, False).locked():
        assert begin(CheckpointDirectory(str(directory), 0, False)).rounds_done == 2


def test_one_that_names_a_folder_elsewhere_goes_nowhere(directory: Path) -> None:
    reseal(directory, training="../../../elsewhere")
    before = set(directory.parent.iterdir())
    assert newest(directory) == 2
    assert set(directory.parent.iterdir()) == before
    (aside,) = (directory / "previous").iterdir()
    assert aside.name.startswith("damaged-")


def test_none_that_is_good_is_said_with_all_reasons(directory: Path) -> None:
    for number in (1, 2):
        (directory / f"checkpoint_round_{number}.json").unlink()
    forge(directory, FORGED["NaN"])
    required = Training.from_variables(
        {"fl_training_name": "demo", "fl_strategy": "FedAdam", "fl_resume": "require", "fl_checkpoint_enabled": True}
    )
    with CheckpointDirectory(str(directory), 0, False).locked(), pytest.raises(RunFailedError) as caught:
        begin(CheckpointDirectory(str(directory), 0, False), required)
    assert "checkpoint_round_3.npz is damaged: 'z.weight' holds NaN or infinite numbers." in str(caught.value)


def test_what_a_manifest_says_is_told_in_few_characters_that_can_be_read(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configuration: Mapping[str, object] = {f"\x1b[2J{number}": "x" * 10**5 for number in range(100)}
    reseal(directory, configuration=configuration, configuration_hash="0" * 64)
    assert newest(directory) == 2
    assert "\x1b" not in caplog.text
    assert len(caplog.text) < 20_000


def test_a_loaded_checkpoint_is_the_bytes_that_were_saved(directory: Path) -> None:
    checkpoint = verify(str(directory / "checkpoint_round_3.npz"))
    arrays, state = CheckpointDirectory(str(directory), 0, False).load(checkpoint)
    assert {name: array.data for name, array in arrays.items()} == {
        name: array.data for name, array in model(3).items()
    }
    state["m_t/z.weight"] += 1  # strategies compute in place


def test_a_file_that_is_swapped_after_it_was_verified_is_told(directory: Path) -> None:
    checkpoint = verify(str(directory / "checkpoint_round_3.npz"))
    for harm in (b"", b"PK" * 100, None):
        path = directory / "checkpoint_round_3.npz"
        path.unlink()
        if harm is None:
            os.mkfifo(path)
        else:
            path.write_bytes(harm)
        with pytest.raises(CheckpointError):
            CheckpointDirectory(str(directory), 0, False).load(checkpoint)


def test_nothing_of_numpy_sees_a_header_that_would_end_the_process(directory: Path) -> None:
    """In a process of its own, which a signal would end."""
    forge(directory, put(WEIGHT, header("|V0", "(-1,)", 0)))
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_checkpoint_faults import begin\n"
        "from fedops_kit.checkpoints import CheckpointDirectory\n"
        "directory = CheckpointDirectory(sys.argv[1], 0, False)\n"
        "print(begin(directory).rounds_done)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(directory), *sys.path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[-1]) == (0, "2")
