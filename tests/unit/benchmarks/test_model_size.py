# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of model sizes: what is tried, what a peak means, and a picture of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("matplotlib")

import model_size as benchmark
from memory_watch import Peaks
from phases import PHASES, Round
from watched import sized_task

FEDERATION = SimpleNamespace(superlink="superlink1", supernodes=["supernode1", "supernode2"])


def result(megabytes: int, replies: int, *peaks: int) -> benchmark.Result:
    commands = dict(zip(benchmark.PROCESSES, peaks, strict=True))
    seen = Peaks(
        {name: peak * benchmark.MEGABYTE for name, peak in commands.items()},
        {"superlink1": 10**9, "supernode1": 2 * 10**8, "supernode2": 3 * 10**8},
        files=dict.fromkeys(commands, 50 * 10**6),
        state=2 * 10**6,
    )
    rounds = [Round(0, seconds, {**dict.fromkeys(PHASES, 0.0), "save": seconds / 10}) for seconds in (4.0, 5.0, 9.0)]
    return benchmark._result(megabytes, replies, rounds, seen, FEDERATION, None)


IDLE = result(1, 3, 100, 110, 120, 130)
LARGE = result(101, 3, 300, 710, 320, 430)


def test_a_result_is_what_was_seen() -> None:
    assert (LARGE.round_seconds, LARGE.save_seconds, LARGE.rounds) == (5.0, 0.5, 3)
    assert LARGE.file_megabytes == dict.fromkeys(benchmark.PROCESSES, 50)
    assert (LARGE.superlink_host_megabytes, LARGE.supernode_host_megabytes, LARGE.state_megabytes) == (1000, 300, 2)


def test_a_peak_by_model_is_beyond_that_of_the_smallest_model() -> None:
    assert benchmark.factors(LARGE, IDLE) == dict(zip(benchmark.PROCESSES, (2.0, 6.0, 2.0, 3.0), strict=True))
    assert benchmark.factors(IDLE, IDLE) == dict.fromkeys(benchmark.PROCESSES, 0.0)


def test_small_models_come_first_and_replies_vary_at_one_size() -> None:
    assert benchmark.cases([500, 1, 100]) == [(1, 3), (100, 1), (100, 2), (100, 3), (500, 3)]


def test_a_model_that_does_not_fit_is_left_out_with_the_reason() -> None:
    assert benchmark.left_out(1, available=8 * 10**9) is None
    reason = benchmark.left_out(1000, available=8 * 10**9)
    assert reason.startswith("not tried: the hosts would need ")
    assert reason.endswith(" GB together, 8.0 GB are available on the machine")


def test_what_failed_is_told_with_its_reason() -> None:
    failed = benchmark._result(1000, 3, [], Peaks(), FEDERATION, "Run 1 is finished:failed: too large")
    assert benchmark.told(failed) == " 1000 MB   3 replies   Run 1 is finished:failed: too large"
    assert benchmark.told(LARGE).startswith("  101 MB   3 replies   5.0 s a round   MB at most: flower-superlink 300 ")


def test_the_picture_opens_with_and_without_a_failure(tmp_path: Path) -> None:
    failed = benchmark._result(1000, 3, [], Peaks(), FEDERATION, "no")
    varied = [result(benchmark.VARIED, replies, 300, 400 + 100 * replies, 320, 430) for replies in (1, 2, 3)]
    benchmark.draw([IDLE, *varied, failed], tmp_path / "size.png")
    assert (tmp_path / "size.png").read_bytes().startswith(b"\x89PNG")


def test_the_size_is_written_into_the_task() -> None:
    with sized_task(7) as task:
        assert "\nMEGABYTES = 7\nLAYERS = 10\n" in task.read_text()
    with sized_task(44, 400) as task:
        assert "\nMEGABYTES = 44\nLAYERS = 400\n" in task.read_text()
    assert not task.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rounds", "2"], "--rounds is 2 but must be at least 3"),
        (["--megabytes", "0"], "--megabytes is 0 but must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_told(arguments: list[str], complaint: str) -> None:
    command = [sys.executable, benchmark.__file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, complaint in done.stderr) == (2, True)
