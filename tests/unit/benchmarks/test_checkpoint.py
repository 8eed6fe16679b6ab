# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of the checkpoints runs, writes its figures and its picture, and leaves nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

SOURCE = Path(__file__).parents[3] / "benchmarks" / "checkpoint.py"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(SOURCE), *arguments], capture_output=True, text=True, check=False)


def test_it_writes_figures_and_a_picture_and_cleans_up(tmp_path: Path) -> None:
    scratch, results = tmp_path / "scratch", tmp_path / "results"
    where = ["--directory", str(scratch), "--results", str(results)]
    done = run("--megabytes", "1", "2", "--pairs", "2", "--patience", "0", *where)
    assert done.returncode == 0, done.stderr
    content = json.loads((results / "checkpoint.json").read_text())
    assert [(result["megabytes"], result["pairs"]) for result in content["results"]] == [(1, 2), (2, 2)]
    assert content["machine"]["cores"] == os.cpu_count()
    assert (results / "checkpoint.png").read_bytes().startswith(b"\x89PNG")
    assert str(tmp_path) not in (results / "checkpoint.json").read_text()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--pairs", "1"], "--pairs is 1 but must be at least 2"),
        (["--megabytes", "0"], "--megabytes is 0 but must be at least 1"),
        (["--megabytes", str(10**9)], "GB are needed"),
    ],
)
def test_what_cannot_be_measured_is_told(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    done = run(*arguments, "--directory", str(tmp_path), "--results", str(tmp_path / "results"))
    assert (done.returncode, complaint in done.stderr, list(tmp_path.iterdir())) == (2, True, [])
