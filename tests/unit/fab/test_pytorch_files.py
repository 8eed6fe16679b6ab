# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model leaves as a file of PyTorch and begins another training from it, bit by bit. Skipped without PyTorch."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord

from fedops_kit.errors import RunFailedError
from fedops_kit.initial import first_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make test-examples runs this with it")

PROGRAM = Path(__file__).resolve().parents[3] / "plugins/module_utils/_training/export_program.py"
ARRAYS = {
    "layer.weight": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "layer.bias": np.array([np.pi, -np.e]),
    "half": np.array([0.5, -2.0], np.float16),
    "batches": np.array(2**40 + 1, np.int64),
    "mask": np.array([True, False]),
}


def test_what_is_exported_is_what_another_training_begins_with(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("export_program", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    path = program.write_pt(ARRAYS, tmp_path / "model", {})
    assert path == tmp_path / "model.pt"
    assert list(torch.load(path, weights_only=True)) == list(ARRAYS)
    asked = {"initial_checkpoint": str(path), "initial_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    untrained = ArrayRecord({name: Array(np.zeros_like(array)) for name, array in ARRAYS.items()})
    found = first_model(asked, untrained)
    for name, array in ARRAYS.items():
        assert (found[name].dtype, found[name].numpy().tobytes()) == (str(array.dtype), array.tobytes())


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        (torch.nn.Linear(2, 1), r"is no file of weights alone: Weights only load failed\. "),
        ({"layer": np.zeros(2)}, r"is no file of weights alone: Weights only load failed\. "),
        (
            {"model_state_dict": {"w": torch.zeros(2)}, "epoch": 3},
            "holds 'model_state_dict', which is no tensor",
        ),
        ({"w": torch.zeros(2, device="meta")}, "holds 'w', which is no tensor of numbers"),
        ({"w": torch.quantize_per_tensor(torch.zeros(2), 0.1, 0, torch.qint8)}, "holds 'w', which is no tensor"),
        ([torch.zeros(2)], "is no dictionary of tensors"),
    ],
)
def test_what_is_more_or_less_than_weights_is_refused_with_what_to_save(
    tmp_path: Path, saved: object, words: str
) -> None:
    """And not with PyTorch's advice, which is to run what is in the file."""
    path = tmp_path / "model.pt"
    torch.save(saved, path)
    asked = {"initial_checkpoint": str(path), "initial_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(RunFailedError, match=words) as refused:
        first_model(asked, ArrayRecord({"w": Array(np.zeros(2, np.float32))}))
    assert str(refused.value).endswith("Save a state_dict() alone: torch.save(model.state_dict(), path).")
    assert "weights_only" not in str(refused.value)
