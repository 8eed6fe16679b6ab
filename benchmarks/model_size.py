# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""See what a model of some size costs: seconds a round, and memory of every process of Flower.

The app of the collection carries random arrays of that size and hardly trains; a checkpoint follows every round.
Between two sizes everything is started anew, so that the memory of one is not that of another.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import ROOT, available_memory, machine, new_parser, save, subplots, write_json
from federation import HOME, BenchmarkError, Federation, require_podman
from flower_processes import CLIENT_APP, SERVER_APP
from memory_watch import MemoryWatch, Peaks
from phases import Round, rounds_of
from watched import WatchedHosts, sized_task, watched

MEGABYTE = 10**6
SUPERNODES = 3
DROPPED = 1  # first rounds of a run, which also start what is started once
BUDGET = 840.0  # seconds for a run
VARIED = 100  # megabytes at which the number of replies is varied
# What all hosts together take at most, by first runs: only to see that a machine is too small before it is too late.
ALL_HOSTS_OWN, ALL_HOSTS_MODELS = 3 * 10**9, 15
PROCESSES = ("flower-superlink", SERVER_APP, "flower-supernode", CLIENT_APP)


@dataclass(frozen=True)
class Result:
    """What was measured with one model and number of replies."""

    megabytes: int
    replies: int
    rounds: int
    round_seconds: float | None  # median
    save_seconds: float | None  # median; part of the round
    peak_megabytes: Mapping[str, int]  # by command, of the process that took most, beyond the page cache
    file_megabytes: Mapping[str, int]  # what it had mapped of files: libraries, and replies of a large model
    superlink_host_megabytes: int  # all of Flower's processes there at the same moment
    supernode_host_megabytes: int
    state_megabytes: int  # the database and its write-ahead log
    failure: str | None = None


def measure(federation: Federation, hosts: WatchedHosts, megabytes: int, replies: int, rounds: int) -> Result:
    """Train a few rounds with one model."""
    training = f"size{megabytes}-{replies}-{time.time():.0f}"  # hosts that were kept know older ones
    watch, failure, measured = MemoryWatch(federation), None, []
    try:
        federation.restart()
        watch.start()
        with sized_task(megabytes) as task:
            exchange = hosts.run(_variables(training, str(task), replies, rounds), BUDGET)
        measured = rounds_of(exchange)[DROPPED:]
    except BenchmarkError as error:
        failure = str(error)
    peaks = watch.stop()
    federation.on(federation.superlink, "rm", "-rf", f"{HOME}/checkpoints/{training}")
    return _result(megabytes, replies, measured, peaks, federation, failure)


def _variables(training: str, task: str, replies: int, rounds: int) -> dict[str, Any]:
    return {
        "app_overlay": {"fedops_app/task.py": task},
        "fl_training_name": training,
        "fl_num_rounds": rounds,
        "fl_min_fit_clients": replies,
        "fl_min_available_clients": SUPERNODES,
        "fl_fraction_train": round(replies / SUPERNODES + 0.01, 2) if replies < SUPERNODES else 1.0,
        "fl_fraction_evaluate": 0,
        "fl_checkpoint_enabled": True,
        "fl_checkpoint_interval": 1,
        "fl_checkpoint_keep_last": 1,
        "fl_checkpoint_keep_best": False,
        "fl_checkpoint_path": f"{HOME}/checkpoints/{training}",
    }


def _result(
    megabytes: int, replies: int, rounds: Sequence[Round], peaks: Peaks, federation: Federation, failure: str | None
) -> Result:
    saves = [each.phases["save"] for each in rounds]
    seconds = [each.seconds for each in rounds]
    return Result(
        megabytes=megabytes,
        replies=replies,
        rounds=len(rounds),
        round_seconds=round(statistics.median(seconds), 2) if rounds else None,
        save_seconds=round(statistics.median(saves), 3) if rounds else None,
        peak_megabytes={name: round(peaks.processes.get(name, 0) / MEGABYTE) for name in PROCESSES},
        file_megabytes={name: round(peaks.files.get(name, 0) / MEGABYTE) for name in PROCESSES},
        superlink_host_megabytes=round(peaks.hosts.get(federation.superlink, 0) / MEGABYTE),
        supernode_host_megabytes=round(max(peaks.hosts.get(host, 0) for host in federation.supernodes) / MEGABYTE),
        state_megabytes=round(peaks.state / MEGABYTE),
        failure=failure,
    )


def left_out(megabytes: int, available: int) -> str | None:
    """Say why a case cannot be tried on this machine, which carries all hosts; nothing when it can."""
    needed = ALL_HOSTS_OWN + ALL_HOSTS_MODELS * megabytes * MEGABYTE
    if needed <= available:
        return None
    return (
        f"not tried: the hosts would need {needed / 10**9:.1f} GB together,"
        f" {available / 10**9:.1f} GB are available on the machine"
    )


def told(result: Result) -> str:
    """Say one result in a line."""
    case = f"{result.megabytes:5d} MB   {result.replies} replies   "
    if not result.rounds:
        return case + str(result.failure)
    peaks = "   ".join(f"{name} {peak}" for name, peak in result.peak_megabytes.items())
    return f"{case}{result.round_seconds:.1f} s a round   MB at most: {peaks}   state {result.state_megabytes}"


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw the memory of each process by the size of the model and by the number of replies, and the rounds."""
    idle = min(results, key=lambda result: result.megabytes)
    whole = [result for result in results if result.replies == SUPERNODES and result.rounds and result != idle]
    varied = [result for result in results if result.megabytes == VARIED and result.rounds]
    figure, (sizes, replies, seconds) = subplots(3, figsize=(15, 4.5))
    _grouped(sizes, whole, idle, [f"{result.megabytes} MB" for result in whole])
    sizes.set(title=f"Peak ÷ model, {SUPERNODES} replies", ylabel=f"times the model, beyond {idle.megabytes} MB")
    _grouped(replies, varied, idle, [f"{result.replies}" for result in varied])
    replies.set(title=f"Peak ÷ model, {VARIED} MB", xlabel="replies to a round")
    sizes.legend(loc="upper center", ncols=2)
    rounds = [idle, *whole]
    bars = seconds.bar(range(len(rounds)), [result.round_seconds for result in rounds], 0.5, color="tab:gray")
    seconds.bar_label(bars, fmt="%.0f")
    seconds.set_xticks(range(len(rounds)), [f"{result.megabytes} MB" for result in rounds])
    seconds.set(title=f"A round, {SUPERNODES} replies", ylabel="seconds (median)")
    for axes in (sizes, replies, seconds):
        axes.set_ylim(top=1.2 * axes.get_ylim()[1])  # room for the legend
        axes.grid(axis="y", alpha=0.3)
    save(figure, path)


def _grouped(axes: Any, results: Sequence[Result], idle: Result, labels: Sequence[str]) -> None:
    """Draw one group of bars for each result, a bar for each process."""
    for number, name in enumerate(PROCESSES):
        places = [place + 0.2 * number - 0.3 for place in range(len(results))]
        bars = axes.bar(places, [factors(result, idle)[name] for result in results], 0.2, label=name)
        axes.bar_label(bars, fmt="%.1f", fontsize=8)
    axes.set_xticks(range(len(results)), labels)


def factors(result: Result, idle: Result) -> dict[str, float]:
    """Return the peak of each process as a multiple of the model, beyond what it is with the smallest one."""
    beyond = result.megabytes - idle.megabytes
    return {
        name: round((result.peak_megabytes[name] - idle.peak_megabytes[name]) / beyond, 2) if beyond else 0.0
        for name in PROCESSES
    }


def main(arguments: list[str] | None = None) -> int:
    """Boot the hosts, measure every size, write the figures and the picture, and remove the hosts."""
    parser = new_parser(__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 100, 500, 1000], help="sizes of the model")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each training (default: %(default)s)")
    parser.add_argument("--keep-hosts", action="store_true", help="leave the hosts for another time")
    options = parser.parse_args(arguments)
    fewest = DROPPED + 2
    if options.rounds < fewest:
        parser.error(f"--rounds is {options.rounds} but must be at least {fewest}")
    if min(options.megabytes) < 1:
        parser.error(f"--megabytes is {min(options.megabytes)} but must be at least 1")
    require_podman(parser)

    facts, results = machine(ROOT), []
    federation = Federation("benchmarks", SUPERNODES)
    with watched(federation, options.keep_hosts) as hosts:
        for megabytes, replies in cases(options.megabytes):
            if reason := left_out(megabytes, available_memory()):
                results.append(_result(megabytes, replies, [], Peaks(), federation, reason))
            else:
                results.append(measure(federation, hosts, megabytes, replies, options.rounds))
            print(told(results[-1]), flush=True)
    idle = min(results, key=lambda result: result.megabytes)
    content = {
        "machine": facts,
        "supernodes": SUPERNODES,
        "results": [
            {**asdict(result), "peak_by_model": factors(result, idle) if result.rounds else None} for result in results
        ],
    }
    write_json(options.results / "model_size.json", content)
    draw(results, options.results / "model_size.png")
    return 0


def cases(megabytes: Sequence[int]) -> list[tuple[int, int]]:
    """Return sizes and numbers of replies, the small ones first: the database never becomes smaller again."""
    return [
        (size, replies)
        for size in sorted(megabytes)
        for replies in (range(1, SUPERNODES + 1) if size == VARIED else [SUPERNODES])
    ]


if __name__ == "__main__":
    sys.exit(main())
