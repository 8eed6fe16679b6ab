# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training on test hosts, read from outside by what it leaves in its folder, whatever happens to its hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from common import ROOT
from federation import BenchmarkError, Federation

LOOK = 0.05  # seconds between two looks
BUDGET = 300.0  # seconds in which a training must have finished another round


@dataclass
class Story:
    """What the training leaves in its folders, read as it comes."""

    federation: Federation
    folder: str  # of what is asked of it
    _last: list[dict[str, Any]] = field(default_factory=list)
    _moments: list[float] = field(default_factory=list)

    def lines(self) -> list[dict[str, Any]]:
        """Return the history as it was written: a round that was trained again stands there twice."""
        with suppress(OSError, ValueError):  # the host may be down
            text = self._read("history.jsonl", self.published)
            self._last = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        for line in self._last[len(self._moments) :]:
            self._moments.append(min(time.time(), datetime.fromisoformat(line["time"]).timestamp()))
        return self._last

    def finished(self, number: int) -> list[float]:
        """Return when rounds after this one were finished.

        The host may be down when a round is seen first, so its own word counts, unless its clock is ahead.
        """
        lines = self.lines()
        return [moment for moment, line in zip(self._moments, lines, strict=True) if line["round"] > number]

    def watch(self, seconds: float) -> None:
        """Look at the rounds for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.lines()
            time.sleep(min(left, LOOK))

    @property
    def round(self) -> int:
        """The last round that is finished."""
        return max((line["round"] for line in self.lines()), default=0)

    def supervision(self) -> dict[str, Any]:
        """Return what the supervisor remembers; nothing while the host is down."""
        with suppress(OSError, ValueError):
            return json.loads(self._read("supervision.json"))
        return {}

    def result(self) -> dict[str, Any]:
        """Return the result; nothing before the end."""
        with suppress(OSError, ValueError):
            return json.loads(self._read("result.json", self.published))
        return {}

    def wait(self, after: int) -> float:
        """Wait until a round after this one is finished; return the moment."""
        end = time.monotonic() + BUDGET
        while time.monotonic() < end:
            if self.round > after:
                return time.monotonic()
            time.sleep(LOOK)
        raise BenchmarkError(f"No round after {after} was finished within {BUDGET:g} s: {self.supervision()}")

    def end(self, rounds: int, budget: float = BUDGET) -> dict[str, Any]:
        """Wait until all rounds are finished, and then until the training has ended; return the result."""
        for number in range(self.round, rounds):
            self.wait(number)
        until = time.monotonic() + budget
        while self.supervision().get("state") != "completed":
            if time.monotonic() > until:
                raise BenchmarkError(f"The training has not ended: {self.supervision()}")
            time.sleep(1)
        return self.result()

    def undisturbed(self) -> dict[str, Any]:
        """Return the result of the same training on a simulated grid.

        In a process of its own, without what this one's environment says to OpenBLAS: kernels that are not those of the
        hosts round the last bit otherwise.
        """
        federation = self.federation
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        done = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks" / "undisturbed.py"), str(federation.data), *federation.supernodes],
            input=federation.on(federation.superlink, "cat", f"{self.published}/effective.json"),
            stdout=subprocess.PIPE, env=environment, text=True, check=True,
        )  # fmt: skip
        return json.loads(done.stdout)

    @property
    def published(self) -> str:
        """The folder of what its ServerApps tell."""
        return self.folder.replace("/trainings/", "/published/")

    def _read(self, name: str, folder: str = "") -> str:
        host = self.federation.superlink
        try:
            place = self.federation.root(host) / (folder or self.folder).lstrip("/")
            return (place / name).read_text(encoding="utf-8")
        except (BenchmarkError, ValueError) as error:  # no process to look through
            raise OSError(str(error)) from error
