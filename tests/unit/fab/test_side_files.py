# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task says which files go with its model, and whoever packs the model finds them."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from simulated import Federation

from fedops_app import task
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._checkpoint.side_files import SIDE_FILES, decoded


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Have the task say what goes with its model."""
    return lambda function: monkeypatch.setattr(task, "side_files", function, raising=False)


def left(federation: Federation) -> Path:
    return federation.root / "trainings/default" / SIDE_FILES


def test_they_are_left_before_a_round_and_belong_to_the_configuration(federation: Federation, said) -> None:
    told: list[object] = []

    def side_files(data_directory: Path, extra: Mapping[str, Any]) -> dict[str, bytes]:
        told.append((data_directory, extra))
        return {"classes.json": b"[0, 1]", "a.model": b"\x00\xff"}

    said(side_files)
    federation.train(num_rounds=1)
    (only,) = told
    assert only == (federation.root / "server", {})
    manifest = json.loads((federation.checkpoints() / "checkpoint_latest.json").read_text())
    files = decoded(left(federation).read_bytes(), manifest["configuration_hash"])
    assert files == {"classes.json": b"[0, 1]", "a.model": b"\x00\xff"}
    assert (left(federation).stat().st_mode & 0o777) == 0o640
    record = json.loads(left(federation).read_text())
    assert base64.b64decode(record["files"]["classes.json"]) == b"[0, 1]"
    assert record["run_id"] == "1"
    federation.train("other", num_rounds=1, seed=3)
    assert decoded(left(federation).read_bytes(), manifest["configuration_hash"]) is None


def test_a_task_that_says_nothing_leaves_nothing_of_an_earlier_one(federation: Federation, said) -> None:
    said(lambda: {"a.txt": b""})
    federation.train(num_rounds=1)
    assert left(federation).exists()

    def nothing() -> dict[str, bytes]:
        return {}

    said(nothing)
    federation.train("other", num_rounds=1, seed=3)
    assert not left(federation).exists()


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (["a.txt"], r"side_files\(\) in task.py has returned list, and no dictionary"),
        ({"run.py": b""}, r"cannot go with a model: 'run.py' is no name for a file beside a model"),
        ({"a.txt": "text"}, r"cannot go with a model: 'a.txt' is str, and no bytes"),
    ],
)
def test_what_cannot_go_with_a_model_fails_before_any_round(federation: Federation, said, returned, told) -> None:
    said(lambda: returned)
    with pytest.raises(RunFailedError, match=told):
        federation.train(num_rounds=1)
    assert federation.last.log == []
    assert "side_files()" in federation.published("failure.json")["message"]


def test_a_training_does_not_die_of_it_where_it_cannot_be_written(
    federation: Federation, said, caplog: pytest.LogCaptureFixture
) -> None:
    said(lambda: {"a.txt": b"x"})
    Path(f"{left(federation)}.partial").mkdir(parents=True)
    with caplog.at_level(logging.WARNING, "flwr"):
        federation.train(num_rounds=1)
    assert f"{left(federation)} cannot be written: " in caplog.text
