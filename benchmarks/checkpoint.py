# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare saving a checkpoint with what the disk can do, and with the memory that the model itself takes.

A save is the arrays with their checksum and hash, the manifests and the link, each made durable. The disk's own time
is what dd reports for the same number of incompressible bytes with conv=fsync. Both run in turn in one directory, now
one first, now the other, and each pair gives a ratio. A round waits for the save and the removal of an older one.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files" / "fab"))

from common import ROOT, Spread, bars, machine, memory, new_parser, processor_seconds, save, subplots, write_json
from saves import MEGABYTE, make_model, saving, timed

from fedops_kit.checkpoints import CheckpointDirectory

REPEATS = {10: 31, 100: 21, 1000: 9}  # pairs by size in MB: about two minutes where a disk writes 1 GB/s
SPEED_GOAL = 0.8  # of the disk's own speed, from 100 MB on
MEMORY_GOAL = 1.2  # times the model, the model included
CHECKPOINTS = "checkpoints"
QUIET = 0.15  # of the processors, used by others


@dataclass(frozen=True)
class Result:
    """What was measured at one size."""

    megabytes: int
    pairs: int
    ratio: Spread  # the speed of a save by that of the disk, pair by pair
    save_megabytes_per_second: Spread
    disk_megabytes_per_second: Spread
    blocked_seconds: Spread  # for a save and the removal of an older one
    peak_memory_by_model: float
    sha256_seconds: float  # the hash alone, of the same bytes
    crc32_seconds: float  # the checksum alone, which the format wants
    smallest_save_seconds: float  # of a model of one number: what does not depend on the size
    processors_used_by_others: float  # of 1.0, while the pairs ran


def measure(megabytes: int, pairs: int, patience: float, directory: Path) -> Result:
    """Measure one size, in a process of its own: its peak memory is that of this size."""
    model = make_model(megabytes * MEGABYTE)
    size = sum(len(array.data) for array in model.values())
    source, checkpoints = directory / "source", directory / CHECKPOINTS
    with source.open("wb") as stream:
        stream.writelines(array.data for array in model.values())
    saving(make_model(4), checkpoints)()  # loads what is loaded at the first use
    ctypes.CDLL(None).malloc_trim(0)  # nothing is left over that a save could use without being seen
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    occupied = memory("VmRSS")
    saving(model, checkpoints)()
    peak = 1 + (memory("VmHWM") - occupied) / size

    save, removal, disk, others = [], [], [], []
    for number in range(pairs):
        turns = [(save, saving(model, checkpoints)), (disk, lambda: _dd(source, directory / "plain"))]
        _await_quiet(patience)
        before = _Use.now()
        for seconds, run in turns if number % 2 else reversed(turns):
            os.sync()  # nobody pays for what another has left
            seconds.append(run())
        removal.append(timed(lambda: _remove_older(directory)))
        others.append(before.by_others())
    content = source.read_bytes()
    return Result(
        megabytes=megabytes,
        pairs=pairs,
        ratio=Spread.of([plain / own for own, plain in zip(save, disk, strict=True)]),
        save_megabytes_per_second=Spread.of([size / MEGABYTE / seconds for seconds in save]),
        disk_megabytes_per_second=Spread.of([size / MEGABYTE / seconds for seconds in disk]),
        blocked_seconds=Spread.of([sum(both) for both in zip(save, removal, strict=True)]),
        peak_memory_by_model=round(peak, 3),
        sha256_seconds=_median_of_three(lambda: timed(lambda: sha256(content))),
        crc32_seconds=_median_of_three(lambda: timed(lambda: zlib.crc32(content))),
        smallest_save_seconds=_median_of_three(lambda: _save_smallest(directory)),
        processors_used_by_others=round(statistics.median(others), 2),
    )


def _remove_older(directory: Path) -> None:
    """Remove all but the newest checkpoint, as a save does that keeps only so many."""
    for older in CheckpointDirectory(str(directory / CHECKPOINTS), 0, False).rounds()[:-1]:
        for suffix in ("json", "npz"):
            (directory / CHECKPOINTS / f"checkpoint_round_{older}.{suffix}").unlink()


def _dd(source: Path, target: Path) -> float:
    """Copy with dd; return the seconds that it reports, which leave out its own start."""
    command = ["dd", f"if={source}", f"of={target}", "bs=1M", "conv=fsync"]
    report = subprocess.run(command, env={**os.environ, "LC_ALL": "C"}, check=True, capture_output=True, text=True)
    target.unlink()
    return float(re.search(r"copied, ([\d.e-]+) s", report.stderr)[1])


def _save_smallest(directory: Path) -> float:
    save = saving(make_model(4), directory / CHECKPOINTS)
    return save()


def _median_of_three(seconds: Callable[[], float]) -> float:
    return round(statistics.median(seconds() for _attempt in range(3)), 4)


@dataclass(frozen=True)
class _Use:
    """The processor time that everybody, and that this process, has used at a moment."""

    moment: float
    everybody: float
    own: float

    @classmethod
    def now(cls) -> _Use:
        return cls(time.monotonic(), processor_seconds(), sum(os.times()[:4]))

    def by_others(self) -> float:
        """Return which part of all processors others have used since, from 0 to 1."""
        now = _Use.now()
        others = now.everybody - self.everybody - (now.own - self.own)
        return min(max(others / (now.moment - self.moment) / os.cpu_count(), 0.0), 1.0)


def _await_quiet(patience: float) -> None:
    """Wait for a moment in which others leave the processors alone, but no more than so many seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        before = _Use.now()
        time.sleep(0.25)
        if before.by_others() < QUIET:
            return


def draw(results: Sequence[Result], path: Path) -> None:
    """Draw the two speeds and their ratio by size."""
    places = range(len(results))
    figure, (speeds, ratios) = subplots(2)
    for shift, label, field in ((-0.2, "dd conv=fsync", "disk"), (0.2, "checkpoint", "save")):
        spreads = [getattr(result, f"{field}_megabytes_per_second") for result in results]
        bars(speeds, [place + shift for place in places], spreads, width=0.4, label=label)
    speeds.set(title="Durable writing", ylabel="MB/s")
    speeds.legend(loc="upper center", ncols=2)
    bars(ratios, list(places), [result.ratio for result in results], width=0.5, color="tab:green")
    ratios.axhline(SPEED_GOAL, color="gray", linestyle="--", label=f"goal from 100 MB: {SPEED_GOAL}")
    ratios.set(title="Checkpoint ÷ disk", ylabel="ratio (median of pairs, quartiles)")
    ratios.legend(loc="upper left")
    for axes in (speeds, ratios):
        axes.set_ylim(top=1.15 * axes.get_ylim()[1])  # room for the legend
        axes.set_xticks(list(places), [f"{result.megabytes} MB" for result in results])
        axes.grid(axis="y", alpha=0.3)
    save(figure, path)


def told(result: Result) -> str:
    """Say one result in a line."""
    return (
        f"{result.megabytes:5d} MB   {result.ratio.median:.2f} of the disk"
        f" ({result.ratio.lower_quartile:.2f} to {result.ratio.upper_quartile:.2f}, {result.pairs} pairs)"
        f"   {result.save_megabytes_per_second.median:.0f} of {result.disk_megabytes_per_second.median:.0f} MB/s"
        f"   a round waits {result.blocked_seconds.median:.3f} s   memory {result.peak_memory_by_model:.2f} x model"
        f"   others use {result.processors_used_by_others:.0%} of the processors"
    )


def main(arguments: list[str] | None = None) -> int:
    """Measure every size, and write the figures and the picture."""
    parser = new_parser(__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=list(REPEATS), help="sizes of the model")
    parser.add_argument("--pairs", type=int, help="pairs at every size, at least 2 (default: more for small models)")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds to wait for quiet before each pair")
    parser.add_argument("--directory", type=Path, default=ROOT / ".cache", help="a directory on the disk to measure")
    options = parser.parse_args(arguments)
    if options.pairs is not None and options.pairs < 2:
        parser.error(f"--pairs is {options.pairs} but must be at least 2")
    if min(options.megabytes) < 1:
        parser.error(f"--megabytes is {min(options.megabytes)} but must be at least 1")
    options.directory.mkdir(parents=True, exist_ok=True)
    needed, free = 5 * max(options.megabytes) * MEGABYTE, shutil.disk_usage(options.directory).free
    if free < needed:
        parser.error(f"{options.directory} has {free / 10**9:.1f} GB free but {needed / 10**9:.1f} GB are needed")

    facts, results = machine(options.directory), []
    for megabytes in options.megabytes:
        pairs = options.pairs or REPEATS.get(megabytes, 5)
        with (
            tempfile.TemporaryDirectory(prefix="checkpoint-", dir=options.directory) as scratch,
            ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process,
        ):
            results.append(process.submit(measure, megabytes, pairs, options.patience, Path(scratch)).result())
        print(told(results[-1]), flush=True)
    content = {
        "goals": {"ratio_from_100_megabytes": SPEED_GOAL, "peak_memory_by_model": MEMORY_GOAL},
        "machine": facts,
        "results": [asdict(result) for result in results],
    }
    write_json(options.results / "checkpoint.json", content)
    draw(results, options.results / "checkpoint.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
