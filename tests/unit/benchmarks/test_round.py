# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of rounds: ratios of what ran in turn, and a picture of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

import round as benchmark
from common import Spread
from phases import PHASES, Round

SOURCE = Path(benchmark.__file__)


def rounds(*seconds: float) -> list[benchmark.Measured]:
    """Return rounds that pass in the SuperNode's pause, but for a second of training."""
    phases = {**dict.fromkeys(PHASES, 0.0), "training": 1.0}
    return [
        benchmark.Measured(Round(0, each, {**phases, "supernode_pause": each - 1}), 0.5, 3.0, 0.25) for each in seconds
    ]


BLOCKS = [
    {benchmark.BARE: rounds(6, 8), benchmark.OURS: rounds(7, 7), benchmark.SAVING: rounds(14, 14)},
    {benchmark.BARE: rounds(10, 10), benchmark.OURS: rounds(5, 5), benchmark.SAVING: rounds(20, 20)},
]


def test_ratios_are_to_the_bare_app_over_all_and_within_each_block() -> None:
    bare, ours, saving = benchmark.results_of(BLOCKS)
    assert (bare.name, bare.rounds, bare.ratio, bare.seconds.median) == (benchmark.BARE, 4, 1.0, 9.0)
    assert (ours.ratio, ours.ratio_by_block) == (0.667, Spread(0.75, 0.625, 0.875))
    assert (saving.ratio, saving.ratio_by_block) == (1.889, Spread(2.0, 2.0, 2.0))
    assert bare.phases == {**dict.fromkeys(PHASES, 0.0), "supernode_pause": 7.5, "training": 1.0}


def test_one_block_has_no_spread_of_blocks() -> None:
    assert [result.ratio_by_block for result in benchmark.results_of(BLOCKS[:1])] == [None] * 3


def test_a_result_is_told_in_a_line() -> None:
    told = benchmark.told(benchmark.results_of(BLOCKS)[1])
    assert told.startswith("fedops ")
    assert "   6.00 s a round (5.00 to 7.00, 4 rounds)   0.67 of bare Flower   " in told
    assert told.endswith("processors: 0.50 s SuperLink, 3.00 s SuperNodes, 25% others")


def test_the_picture_opens(tmp_path: Path) -> None:
    benchmark.draw(benchmark.results_of(BLOCKS), "100 MB", tmp_path / "round.png")
    assert (tmp_path / "round.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", benchmark.VARIANTS)
def test_every_app_trains_with_the_same_task(name: str) -> None:
    task = benchmark.FAB / "task.py"
    overlay = benchmark.variables(name, task)["app_overlay"]
    assert [source for target, source in overlay.items() if target.endswith("/task.py")] == [str(task)]
    assert all(Path(source).is_file() for source in overlay.values())


def test_the_bare_app_has_all_that_the_task_imports(tmp_path: Path) -> None:
    for target, source in benchmark.variables(benchmark.BARE, benchmark.FAB / "task.py")["app_overlay"].items():
        (tmp_path / target).parent.mkdir(exist_ok=True)
        shutil.copy(source, tmp_path / target)
    shutil.copy(benchmark.PARTS / "bare_app" / "bare_app" / "client_app.py", tmp_path / "bare_app")
    subprocess.run([sys.executable, "-c", "import bare_app.client_app"], check=True, cwd=tmp_path)


def test_only_the_bare_app_is_another_app() -> None:
    given = {name: benchmark.variables(name, benchmark.FAB / "task.py") for name in benchmark.VARIANTS}
    assert [name for name in given if "app_path" in given[name]] == [benchmark.BARE]
    assert [name for name in given if "fl_checkpoint_enabled" in given[name]] == [benchmark.SAVING]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rounds", "3"], "--rounds is 3 but must be at least 4"),
        (["--blocks", "0"], "--blocks is 0 but must be at least 1"),
        (["--megabytes", "-1"], "--megabytes is -1 but must be at least 0"),
        (["--arrays", "60"], "--arrays needs --megabytes"),
        (["--megabytes", "44", "--arrays", "0"], "--arrays is 0 but must be from 1 to 11000000"),
    ],
)
def test_what_cannot_be_measured_is_told(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([sys.executable, str(SOURCE), *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, complaint in done.stderr) == (2, True)
