# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVFlare's proof of concept, whose processes train a model on this machine."""

from __future__ import annotations

import itertools
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from common import ROOT
from federation import BenchmarkError
from round import DROPPED

SITES = 3
BUDGET = 900  # seconds for a training
PYTHON = ROOT / ".cache" / "nvflare" / "venv" / "bin" / "python"
JOB = ROOT / "benchmarks" / "nvflare_poc" / "job.py"
MEGABYTE = 10**6


@dataclass(frozen=True)
class Case:
    """A model."""

    megabytes: int
    arrays: int

    def __str__(self) -> str:
        return f"{self.megabytes} MB in {self.arrays} {'array' if self.arrays == 1 else 'arrays'}"


class ProofOfConcept:
    """NVFlare's processes on this machine, watched as hosts are."""

    superlink = "server"

    def __init__(self, place: Path, sites: int = SITES) -> None:
        self._place = place
        self.hosts = [self.superlink, *(f"site-{number}" for number in range(1, sites + 1))]
        self.supernodes = self.hosts[1:]

    def root(self, host: str) -> Path:
        """Return where nothing of Flower's lies."""
        return self._place

    def processes(self, host: str) -> dict[int, str]:
        """Return the processes of a participant, which name its directory: id, and whose they are."""
        own, found = f"/prod_00/{host}".encode(), {}
        for entry in os.scandir("/proc"):
            with suppress(OSError):  # it may end while it is looked at
                if entry.name.isdigit() and own in Path(f"/proc/{entry.name}/cmdline").read_bytes():
                    found[int(entry.name)] = host
        return found

    def train(self, case: Case, rounds: int) -> list[float]:
        """Have one training trained, from the start of all processes to their end; return the seconds of its rounds."""
        moments = self._place / "moments"
        options = {
            **{"megabytes": case.megabytes, "arrays": case.arrays, "clients": len(self.supernodes), "rounds": rounds},
            **{"moments": moments, "timeout": BUDGET},
        }
        done = subprocess.run(
            [PYTHON, JOB, *(f"--{name}={value}" for name, value in options.items())],
            env={**os.environ, "NVFLARE_POC_WORKSPACE": str(self._place / "workspace")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode or "FINISHED:COMPLETED" not in done.stdout:
            raise BenchmarkError(f"NVFlare did not end its training:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        begun = [float(line) for line in moments.read_text("utf-8").split()]
        return [later - earlier for earlier, later in itertools.pairwise(begun)][DROPPED:]
