# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models with odd names, shapes and types: kept exactly, or refused before the first round."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord
from simulated import Federation

from fedops_app import task
from fedops_kit import dtypes, flaws
from fedops_kit.checkpoints import CheckpointDirectory
from fedops_kit.errors import RunFailedError
from fedops_kit.initial import first_model
from fedops_kit.storable import LONGEST_NAME, check_storable

ABOUT = {
    **dict.fromkeys(("training", "strategy", "run_id"), "t"),
    **{
        "round": 1,
        "num_rounds": 1,
        "configuration_hash": "0" * 64,
        "configuration": {},
        "loss": None,
        "accuracy": None,
    },
}
KEPT = [
    pytest.param({"a": np.ones(2), "a.npy": np.zeros(3)}, id="a name that looks like a file"),
    pytest.param({"one\ntwo": np.ones(2), "tab\t": np.ones(2)}, id="lines"),
    pytest.param({"größe/層/🙂": np.ones(2)}, id="other letters"),
    pytest.param({"state/m_t/a": np.ones(2), "_state/b": np.ones(1)}, id="the names of a state"),
    pytest.param({"../../etc/passwd": np.ones(2), "/root": np.ones(2), "": np.ones(2)}, id="paths"),
    pytest.param({"n" * LONGEST_NAME: np.ones(2)}, id="the longest name"),
    pytest.param({"0-d": np.array(1.5), "empty": np.zeros((0, 3)), "none": np.zeros((2, 0))}, id="shapes"),
    pytest.param({kind: np.ones(2, kind) for kind in ("?", "i1", "u8", "f2", "f8", "c8", ">f4", ">i2")}, id="types"),
    pytest.param({"b": dtypes.narrowed(np.ones((2, 2)), "bfloat16")}, id="bfloat16"),
    pytest.param({f"layer.{number}.weight": np.full(3, number) for number in range(20_000)}, id="20,000 arrays"),
]


def record(arrays: dict[str, np.ndarray]) -> ArrayRecord:
    return ArrayRecord({name: dtypes.array(values) for name, values in arrays.items()})


@pytest.mark.parametrize("arrays", KEPT)
def test_what_is_taken_comes_back_exactly(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    model = record(arrays)
    check_storable(model)
    directory = CheckpointDirectory(str(tmp_path), 0, False)
    state = {f"m_t/{name}": np.asarray(dtypes.wide(values)) for name, values in arrays.items()}
    loaded, kept = directory.load(directory.save(model, state, ABOUT))
    assert list(loaded) == list(model)
    assert all((loaded[name].dtype, loaded[name].data) == (model[name].dtype, model[name].data) for name in model)
    assert list(kept) == list(state)


@pytest.mark.parametrize(
    ("name", "values", "flaw"),
    [
        ("a\0b", np.ones(2), "has a NUL in its name"),
        ("half \ud83d", np.ones(2), "has half a character in its name"),
        ("x" * 70_000, np.ones(2), "has a name of 70000 bytes, more than 60000"),
        ("words", np.array(["a", "b"]), "is <U1, and no array of numbers that can be sent"),
        ("days", np.array(["2026-01-01"], "M8[D]"), "is datetime64[D], and no array of numbers that can be sent"),
        ("pairs", np.zeros(2, [("x", "f4")]), "and no array of numbers that can be sent"),
    ],
)
def test_what_cannot_come_back_is_refused_by_name(name: str, values: np.ndarray, flaw: str) -> None:
    with pytest.raises(RunFailedError, match="^The model of the app cannot be kept: the array ") as caught:
        check_storable({"first": Array(np.ones(1)), name: Array(values)})
    assert flaw in str(caught.value)
    assert len(str(caught.value)) < 400


def test_names_that_no_manifest_could_hold() -> None:
    with pytest.raises(RunFailedError, match="the names of its 200 arrays have"):
        check_storable({f"{number}" + "x" * 50_000: Array(np.ones(1)) for number in range(200)})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"a\0b": np.ones(2, np.float32)}, "has a NUL in its name"),
        ({"pairs": np.zeros(2, [("x", "f4")])}, "and no array of numbers that can be sent"),
        ({"rows": np.rec.array([(1, 2.0)], [("x", "i4"), ("y", "f4")])}, "and no array of numbers that can be sent"),
        ({}, "^The model holds no parameters: "),
        ({"adapters": np.zeros((0, 4), np.float32), "n": np.array(3)}, "^The model holds no parameters: "),
        ({"things": np.array([None])}, "has returned 'things', which cannot be sent: object is no type of numbers"),
    ],
)
def test_it_is_said_before_the_first_round(
    federation: Federation, monkeypatch: pytest.MonkeyPatch, bad: dict, message: str
) -> None:
    monkeypatch.setattr(task, "initial_arrays", lambda seed: bad)
    with pytest.raises(RunFailedError, match=message):
        federation.train(num_rounds=1)
    assert federation.last.log == []


def test_a_model_of_bfloat16_may_be_brought_along(tmp_path: Path) -> None:
    numbers = dtypes.narrowed(np.array([[1.5, -2.0]]), "bfloat16")
    table = json.dumps({"w": {"dtype": "BF16", "shape": [1, 2], "data_offsets": [0, 4]}}).encode()
    content = struct.pack("<Q", len(table)) + table + numbers.tobytes()
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    given = {"initial_checkpoint": str(path), "initial_sha256": hashlib.sha256(content).hexdigest()}
    untrained = record({"w": dtypes.narrowed(np.zeros((1, 2)), "bfloat16")})
    assert first_model(given, untrained)["w"] == dtypes.array(numbers)


class Name(str):
    """A name that counts how often names are compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Name.compared += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_names_are_looked_at_once_each() -> None:
    names, theirs = ([Name(f"layer.{number}") for number in range(2000)] for _side in range(2))
    assert flaws.names_flaw(theirs[::-1], names) == "its arrays are not in the order of the model's"
    assert flaws.names_flaw([*theirs[:-1], Name("other")], names) == "the array 'layer.1999' of the model is missing"
    assert Name.compared < 10 * len(names)  # each with each would be a million times
