# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ServerApp of a training leaves on its host, and what is to be read from it.

It is read with eyes of its own: the code under test does not judge itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Line = Mapping[str, object]


@dataclass(frozen=True)
class Traces:
    """The folders of a training: of what is asked of it, of what its ServerApps tell, and of its checkpoints."""

    training: Path
    published: Path
    checkpoints: Path

    def publication(self) -> tuple[int, int] | None:
        """Return what changes when a ServerApp publishes its configuration."""
        try:
            status = (self.published / "effective.json").stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def begun(self, number: int) -> bool:
        """Tell whether the save of a round has begun."""
        path = self.checkpoints / f"checkpoint_round_{number}.npz"
        return path.exists() or _partial(path).exists()

    def done(self) -> int:
        """Return the newest round whose checkpoint is whole: the one that the next run goes on from."""
        return next(filter(self._is_whole, sorted(self._rounds(), reverse=True)), 0)

    def history(self) -> list[Line]:
        """Return every round that a ServerApp has told of."""
        return read_lines(self.published / "history.jsonl")

    def runs(self) -> list[str]:
        """Return the ids of the runs that were submitted, oldest first."""
        return [run["run_id"] for run in read_object(self.training / "ledger.json").get("runs", [])]

    def phase(self, published: bool, rounds: int) -> str:
        """Say what a ServerApp was doing that is dead now."""
        if not published:
            return "starting"
        done = self.done()
        arrays = self.checkpoints / f"checkpoint_round_{done + 1}.npz"
        if _partial(arrays).exists():
            return f"saving round {done + 1}: writing its arrays"
        if arrays.exists():
            return f"saving round {done + 1}: arrays without a manifest"
        if done and self._latest() != (done, done):
            return f"saving round {done}: not yet the latest"
        if done and done not in [line["round"] for line in self.history()]:
            return f"saving round {done}: not yet in the history"
        if done < rounds:
            return f"in round {done + 1}"
        return "ending: the result is written" if (self.published / "result.json").exists() else "ending"

    def _rounds(self) -> Iterator[int]:
        names = os.listdir(self.checkpoints) if self.checkpoints.is_dir() else []
        matches = (re.fullmatch(r"checkpoint_round_(\d+)\.json", name) for name in names)
        return (int(match.group(1)) for match in matches if match)

    def _is_whole(self, number: int) -> bool:
        arrays = self.checkpoints / f"checkpoint_round_{number}.npz"
        try:
            digest = hashlib.sha256(arrays.read_bytes()).hexdigest()
        except FileNotFoundError:
            return False
        return read_object(arrays.with_suffix(".json")).get("sha256") == digest

    def _latest(self) -> tuple[int, int]:
        """Return the rounds that the link and the manifest of the latest checkpoint stand for."""
        link = self.checkpoints / "checkpoint_latest.npz"
        digits = re.sub(r"\D", "", os.readlink(link)) if link.is_symlink() else ""
        manifest = read_object(link.with_suffix(".json"))
        return int(digits or 0), int(manifest.get("round", 0))


def judge(runs: Sequence[str], history: Sequence[Line], kills: Sequence[Line], rounds: int) -> list[str]:
    """Return what is wrong with what a killed training left, a sentence each.

    Of each kill it is known how many runs had been submitted (C(runs)), how many rounds were told of (C(told)), and
    which round was the newest with a whole checkpoint (C(done)).
    """
    problems = []
    if len(runs) > len(kills) + 1:
        problems.append(f"{len(kills)} ServerApps were killed, but {len(runs)} runs submitted.")
    for index, line in enumerate(history):
        before = [kill for kill in kills if kill["told"] <= index]
        done = max((kill["done"] for kill in before), default=0)
        # The run that goes on adds the line of a round that its forerunner could not tell of any more.
        earlier = {run for kill in before for run in runs[: kill["runs"]]}
        if line["round"] <= done and line["run_id"] not in earlier:
            problems.append(
                f"Run {line['run_id']} trained round {line['round']}, though a checkpoint of round {done} was there."
            )
    told = [int(line["round"]) for line in history]
    twice = sorted({number for number in told if told.count(number) > 1})
    problems += [f"Round {number} was finished {told.count(number)} times." for number in twice]
    problems += [f"The history lacks round {number}." for number in range(1, rounds + 1) if number not in told]
    return problems


def read_object(path: Path) -> dict[str, object]:
    """Return the JSON object in a file; an empty one when there is none, or none that is whole."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}


def read_lines(path: Path) -> list[Line]:
    """Return the lines of JSON in a file, but not the one that is being written."""
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")
