# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches from outside how much processor time the hosts take, and how much everybody else does."""

from __future__ import annotations

import bisect
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common import processor_seconds

CGROUPS = Path("/sys/fs/cgroup")
PAUSE = 0.1  # seconds between two looks


@dataclass(frozen=True)
class Sample:
    """Seconds of processor time that were used until a moment."""

    moment: float
    everybody: float
    hosts: Sequence[float]


class ProcessorWatch(threading.Thread):
    """Looks at some hosts until it is stopped; each is named by the id of its first process."""

    def __init__(self, first_processes: Sequence[int]) -> None:
        super().__init__(daemon=True)
        self._meters = [meter(process) for process in first_processes]
        self._ended = threading.Event()
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Look again and again."""
        while not self._ended.wait(PAUSE):
            self.samples.append(Sample(time.time(), processor_seconds(), [used(path) for path in self._meters]))

    def stop(self) -> Usage:
        """Stop looking, and return what was seen."""
        self._ended.set()
        self.join()
        return Usage(self.samples)


@dataclass(frozen=True)
class Usage:
    """What the hosts and everybody used, over time."""

    samples: Sequence[Sample]

    def of(self, begin: float, end: float) -> list[float]:
        """Return the seconds of processor time that each host used between two moments."""
        return [after - before for before, after in zip(self._at(begin).hosts, self._at(end).hosts, strict=True)]

    def others(self, begin: float, end: float) -> float:
        """Return which part of all processors was used by others than the hosts, from 0 to 1."""
        first, last = self._at(begin), self._at(end)
        if last.moment <= first.moment:
            return 0.0
        others = last.everybody - first.everybody - sum(self.of(begin, end))
        return min(max(others / (last.moment - first.moment) / os.cpu_count(), 0.0), 1.0)

    def _at(self, moment: float) -> Sample:
        place = bisect.bisect_left(self.samples, moment, key=lambda sample: sample.moment)
        return self.samples[min(place, len(self.samples) - 1)]


def meter(process: int) -> Path:
    """Return the file in which Linux counts the processor time of a container, by its first process."""
    return meter_of(Path(f"/proc/{process}/cgroup").read_text(encoding="ascii"))


def meter_of(groups: str) -> Path:
    """Return the same by the control groups of that process."""
    by_controllers = dict(line.split(":", 2)[1:] for line in groups.splitlines())
    for controllers, group in by_controllers.items():
        if "cpuacct" in controllers.split(","):
            return CGROUPS / controllers / group[1:] / "cpuacct.usage"
    # The one hierarchy of newer machines; systemd has put itself into a group of its own below the container's.
    return CGROUPS / by_controllers[""][1:].removesuffix("/init.scope") / "cpu.stat"


def used(path: Path) -> float:
    """Return the seconds that such a file tells."""
    text = path.read_text(encoding="ascii")
    return int(text) / 1e9 if path.name == "cpuacct.usage" else int(text.split()[1]) / 1e6
