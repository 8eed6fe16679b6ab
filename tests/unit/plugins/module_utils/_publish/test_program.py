# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program answers, whatever a library does. With the real ones: test_libraries."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._publish import at_huggingface, in_mlflow, program

TOKEN = "hf_none_may_read_this"


class Library:
    """A library that fails, and repeats in its message what it was given."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name}\nwith {TOKEN}\x1b[31m {'x' * 5000}.")


def asked(to: str, act: str, **options: Any) -> dict[str, Any]:
    given = {"dest": "hospitals/digits", "endpoint": "https://example.org", **options}
    return {
        "to": to,
        "act": act,
        "token": TOKEN,
        "options": given,
        "manifest": {"package": "p", "identity": "i"},
        "folder": "/",
    }


@pytest.fixture
def libraries(monkeypatch) -> Iterator[None]:
    """Give the modules that are imported of the libraries."""
    for name, value in (
        ("huggingface_hub", SimpleNamespace(HfApi=Library, set_client_factory=lambda make: make)),
        ("huggingface_hub.errors", SimpleNamespace(RepositoryNotFoundError=KeyError, RevisionNotFoundError=KeyError)),
        ("httpx2", SimpleNamespace()),
        ("mlflow.exceptions", SimpleNamespace(MlflowException=KeyError)),
        ("mlflow.tracking", SimpleNamespace(MlflowClient=Library)),
    ):
        monkeypatch.setitem(sys.modules, name, value)
    with mock.patch.dict(os.environ):
        yield


@pytest.mark.parametrize("to", ["huggingface", "mlflow"])
@pytest.mark.parametrize("act", ["obstacle", "holds", "put"])
def test_whatever_a_library_raises_is_told_in_a_line_without_the_token(libraries, tmp_path, to, act) -> None:
    problem = program.answer(asked(to, act), str(tmp_path))["problem"]
    assert problem.startswith("RuntimeError: ")
    assert "(the token)" in problem
    assert len(problem) < 700
    assert not set(problem) & set("\n\x1b")
    assert TOKEN not in problem


@pytest.mark.parametrize("to", ["huggingface", "mlflow"])
def test_a_python_without_the_library_is_told(libraries, monkeypatch, tmp_path, to) -> None:
    for name in ("huggingface_hub", "mlflow.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    assert "halted" in program.answer(asked(to, "obstacle"), str(tmp_path))["problem"]


def test_the_places_are_those_that_need_a_library() -> None:
    assert {"huggingface": at_huggingface.HuggingFaceHub, "mlflow": in_mlflow.MlflowRegistry} == program._PLACES


@pytest.mark.parametrize(
    ("size", "digest", "expected"),
    [(5, None, True), (5, "a" * 64, True), (5, "b" * 64, False), (6, "a" * 64, False)],
)
def test_a_file_is_there_by_its_size_and_by_the_hash_that_the_hub_tells(size, digest, expected) -> None:
    there = {"model.npz": SimpleNamespace(size=size, lfs=digest and SimpleNamespace(sha256=digest))}
    entry = {"name": "model.npz", "bytes": 5, "sha256": "a" * 64}
    assert at_huggingface._is_there(entry, there) is expected
    assert not at_huggingface._is_there({**entry, "name": "other"}, there)
