# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of PyTorch, where there is none; with it, make test-examples asks the same of files of weights."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.models import ModelError
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.tensors import TORCH, dtype_of, read_tensors


class Tensor(SimpleNamespace):
    """As much as is looked at."""


GOOD: dict[str, Any] = {"layout": "strided", "is_meta": False, "is_quantized": False, "detach": lambda: "numbers"}


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have PyTorch find something in each file, or raise it."""
    asked: list[dict[str, Any]] = []

    def stand_in(found: Any) -> list[dict[str, Any]]:
        def load(stream: io.BytesIO, **options: Any) -> Any:
            asked.append({**options, "at": stream.tell()})
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setitem(sys.modules, TORCH, SimpleNamespace(load=load, Tensor=Tensor, strided="strided"))
        return asked

    return stand_in


def test_only_weights_are_loaded_from_the_beginning(loads) -> None:
    asked = loads({"q": Tensor(**GOOD)})
    stream = io.BytesIO(b"content")
    stream.seek(3)
    assert read_tensors("a.bin", stream) == {"q": "numbers"}
    assert asked == [{"map_location": "cpu", "weights_only": True, "at": 0}]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RuntimeError("Load failed. Set weights_only=False\nand run it"), "no file of weights alone: Load failed"),
        ([], "is no dictionary of tensors"),
        ({}, "is no dictionary of tensors"),
        ({5: Tensor(**GOOD)}, "holds 5, which is no tensor of numbers"),
        ({"q": "text"}, "holds 'q', which is no tensor of numbers"),
        ({"q": Tensor(**{**GOOD, "is_meta": True})}, "holds 'q', which is no tensor of numbers"),
        ({"q": Tensor(**{**GOOD, "layout": "sparse"})}, "holds 'q', which is no tensor of numbers"),
    ],
)
def test_anything_else_is_refused_without_advice_to_run_it(loads, found, said) -> None:
    loads(found)
    with pytest.raises(ModelError) as caught:
        read_tensors("a.bin", io.BytesIO())
    assert said in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_types_are_called_as_numpy_calls_them() -> None:
    assert dtype_of(SimpleNamespace(dtype="torch.bfloat16")) == "bfloat16"
