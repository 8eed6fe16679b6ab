# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reaper of the scenario exact_resume: what it draws, kills, sees and judges."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "molecule" / "exact_resume" / "files"))

import reaper
from reaper import Lengths, Reaper, ServerApp
from traces import Traces, judge

LENGTHS = Lengths(start=2.0, round=8.0, save=0.05, end=1.5)


@pytest.fixture
def traces(tmp_path: Path) -> Traces:
    traces = Traces(tmp_path / "training", tmp_path / "published", tmp_path / "checkpoints")
    traces.training.mkdir()
    traces.published.mkdir()
    traces.checkpoints.mkdir()
    return traces


@pytest.fixture
def serverapp() -> Iterator[ServerApp]:
    """A process of our own, and no other: this machine may have ServerApps that are not ours."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield ServerApp(process.pid)
        process.kill()


def save(traces: Traces, number: int, latest: bool = True, told: bool = True) -> None:
    arrays = traces.checkpoints / f"checkpoint_round_{number}.npz"
    arrays.write_bytes(b"arrays")
    manifest = json.dumps({"round": number, "sha256": hashlib.sha256(b"arrays").hexdigest()})
    arrays.with_suffix(".json").write_text(manifest)
    if latest:
        (traces.checkpoints / "checkpoint_latest.json").write_text(manifest)
        link = traces.checkpoints / "checkpoint_latest.npz"
        link.unlink(missing_ok=True)
        link.symlink_to(arrays.name)
    if told:
        with (traces.published / "history.jsonl").open("a") as stream:
            stream.write(json.dumps({"round": number, "run_id": "1"}) + "\n")


@pytest.mark.parametrize("kills", [0, 1, 2, 3, 20])
def test_a_plan_has_as_many_kills_as_asked_and_one_at_the_end(kills: int) -> None:
    drawn = reaper.plan(kills, random.Random(5))
    assert (len(drawn), drawn[-1]) == (kills + 1, "end")
    assert set(drawn[:-1]) <= {"start", "round", "save"}
    if kills >= 3:
        assert set(drawn) == {"start", "round", "save", "end"}


def test_the_same_seed_draws_the_same_plan_and_another_one_another() -> None:
    plans = [reaper.plan(20, random.Random(seed)) for seed in ("7FedAdam", "7FedAdam", "8FedAdam")]
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize("stretch", ["start", "round", "save", "end"])
def test_every_stretch_has_a_length(stretch: str) -> None:
    assert 0 < reaper.STRETCHES[stretch](LENGTHS) <= 2 * LENGTHS.round


def test_the_phase_of_a_killed_serverapp_is_read_off_its_files(traces: Traces) -> None:
    first, second = (traces.checkpoints / f"checkpoint_round_{number}.npz" for number in (1, 2))
    assert traces.phase(False, rounds=2) == "starting"
    assert traces.phase(True, rounds=2) == "in round 1"
    partial = first.with_name(first.name + ".partial")
    partial.write_bytes(b"arr")
    assert traces.phase(True, rounds=2) == "saving round 1: writing its arrays"
    partial.rename(first)
    assert traces.phase(True, rounds=2) == "saving round 1: arrays without a manifest"
    save(traces, 1, latest=False, told=False)
    assert traces.phase(True, rounds=2) == "saving round 1: not yet the latest"
    save(traces, 1, told=False)
    assert traces.phase(True, rounds=2) == "saving round 1: not yet in the history"
    save(traces, 1)
    assert traces.phase(True, rounds=2) == "in round 2"
    save(traces, 2)
    assert traces.phase(True, rounds=2) == "ending"
    (traces.published / "result.json").write_text("{}")
    assert traces.phase(True, rounds=2) == "ending: the result is written"
    second.write_bytes(b"damaged")
    assert traces.done() == 1


def test_a_line_that_is_being_written_is_not_read(traces: Traces) -> None:
    save(traces, 1)
    with (traces.published / "history.jsonl").open("a") as stream:
        stream.write('{"round": 2')
    assert [line["round"] for line in traces.history()] == [1]


def test_a_kill_is_a_hit_only_when_it_ended_the_process(serverapp: ServerApp) -> None:
    assert serverapp.alive()
    assert serverapp.kill()
    assert not serverapp.alive()
    with subprocess.Popen(["true"]) as process:
        other = ServerApp(process.pid)
        reaper._until(lambda: not other.alive())
        assert not other.kill()
    assert not other.kill()


def test_a_serverapp_that_starts_is_seen_to_import_to_load_and_to_read(serverapp: ServerApp, tmp_path: Path) -> None:
    assert serverapp.beginning(tmp_path) == "importing"
    program = "import numpy, sys; lock = open(sys.argv[1], 'w') if sys.argv[1:] else 0; print(flush=True); input()"
    for arguments, expected in ([], "loading the app"), ([str(tmp_path / ".lock")], "reading the checkpoint"):
        command = [sys.executable, "-c", program, *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            assert ServerApp(process.pid).beginning(tmp_path) == expected


def test_a_serverapp_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "flwr-serverapp-of-this-test"
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    program.chmod(0o755)
    monkeypatch.setattr(reaper, "PROGRAM", program.name.encode())
    monkeypatch.setattr(reaper, "PATIENCE", 5.0)
    known: set[int] = set()
    with subprocess.Popen([program]) as process:
        found = reaper.next_serverapp(known)
        assert (found.pid, known) == (process.pid, {process.pid})
        assert 0 <= reaper._now() - found.started < 5
        monkeypatch.setattr(reaper, "PATIENCE", 0.1)
        assert reaper.next_serverapp(known) is None
        process.kill()


def waited(serverapp: ServerApp, stretch: str, delay: float, traces: Traces, done: int = 0) -> float:
    before = time.monotonic()
    Reaper(traces, 2, LENGTHS, random.Random(1)).wait_for_moment(serverapp, stretch, delay, None, done)
    return time.monotonic() - before


def test_a_moment_lies_so_many_seconds_after_its_stretch_begins(serverapp: ServerApp, traces: Traces) -> None:
    assert waited(serverapp, "start", 0.2, traces) < 0.3  # of its life, which has begun before
    (traces.published / "effective.json").write_text("{}")
    assert 0.2 <= waited(serverapp, "round", 0.2, traces) < 0.5
    (traces.checkpoints / "checkpoint_round_1.npz.partial").touch()
    assert 0.1 <= waited(serverapp, "save", 0.1, traces) < 0.4


def test_only_the_last_kill_lets_the_last_checkpoint_be_completed(serverapp: ServerApp, traces: Traces) -> None:
    (traces.published / "effective.json").write_text("{}")
    (traces.checkpoints / "checkpoint_round_2.npz.partial").touch()
    assert waited(serverapp, "save", 60, traces, done=1) < 0.3
    assert waited(serverapp, "round", 60, traces, done=1) < 0.3
    assert 0.1 <= waited(serverapp, "end", 0.1, traces, done=1) < 0.4


@pytest.mark.parametrize(("stretch", "number"), [("save", 1), ("save", 2), ("round", 2), ("end", 2)])
def test_half_a_file_of_an_earlier_serverapp_is_no_save(traces: Traces, stretch: str, number: int) -> None:
    (traces.checkpoints / f"checkpoint_round_{number}.npz.partial").touch()
    with subprocess.Popen(["sleep", "0.5"]) as process:
        assert waited(ServerApp(process.pid), stretch, 0, traces) >= 0.4


def test_nothing_is_waited_for_when_the_serverapp_ends_by_itself(traces: Traces) -> None:
    with subprocess.Popen(["sleep", "0.1"]) as process:
        assert waited(ServerApp(process.pid), "round", 60, traces) < 1


# The ServerApps of the runs a and b were killed; that of b while it saved round 2, of which it could not tell.
KILLS = [{"done": 0, "told": 0, "runs": 1}, {"done": 2, "told": 1, "runs": 2}]


def told(*rounds: tuple[str, int]) -> list[dict]:
    return [{"run_id": run, "round": number} for run, number in rounds]


@pytest.mark.parametrize(
    ("runs", "history", "problems"),
    [
        ("abc", told(("b", 1), ("b", 2), ("c", 3)), []),
        ("ab", told(("b", 1), ("b", 2), ("b", 3)), []),  # Flower has started its ServerApp once more
        (
            "abc",
            told(("b", 1), ("c", 2), ("c", 3)),
            ["Run c trained round 2, though a checkpoint of round 2 was there."],
        ),
        ("abc", told(("b", 1), ("b", 2), ("b", 2), ("c", 3)), ["Round 2 was finished 2 times."]),
        ("abc", told(("b", 1), ("c", 3)), ["The history lacks round 2."]),
        ("abcd", told(("b", 1), ("b", 2), ("c", 3)), ["2 ServerApps were killed, but 4 runs submitted."]),
    ],
)
def test_a_killed_training_has_trained_each_round_once(runs: str, history: list, problems: list[str]) -> None:
    assert judge(list(runs), history, KILLS, rounds=3) == problems


def test_a_kill_that_misses_is_for_the_next_serverapp(
    traces: Traces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (traces.training / "ledger.json").write_text(json.dumps({"runs": [{"run_id": "a"}]}))
    (traces.published / "effective.json").write_text("{}")
    gone, left = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "60"])
    processes = [ServerApp(gone.pid), ServerApp(left.pid)]
    gone.wait()
    monkeypatch.setattr(reaper, "next_serverapp", lambda known: processes.pop(0) if processes else None)
    report = tmp_path / "kills.jsonl"
    Reaper(traces, 2, Lengths(0.01, 0.01, 0.01, 0.01), random.Random(1)).reap(1, report)
    left.wait()
    (line,) = [json.loads(text) for text in report.read_text().splitlines()]
    assert [line[key] for key in ("hit", "done", "told", "runs", "after_last")] == [True, 0, 0, 1, None]
