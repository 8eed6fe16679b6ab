# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass of the mirror: what is missing in the bucket is brought there, what is too much is taken away.

A program of its own on the SuperLink host, C(flower-mirror.service), away from the training: it reads the directory
and nothing else. What it cannot do now it does in a later pass; until then the checkpoint is its backlog.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import os
import sys
import typing as t
from contextlib import suppress
from datetime import datetime, timezone

from .._base.records import read_object, write_object
from .._checkpoint.checkpoint import Checkpoint
from .._checkpoint.directory import list_checkpoints, list_rounds
from .._checkpoint.manifest import CheckpointError
from .._checkpoint.names import PREVIOUS, arrays_name, manifest_name
from .._checkpoint.trainings import directories
from .._checkpoint.verification import verify
from .rclone import Rclone, RcloneError
from .rules import missing, overtaken, superfluous
from .seal import read_secret, seal_name, seal_of

_STATE = "state.json"
SEALS = "seals"  # where a seal lies while it travels


class State:
    """What the mirror remembers from one pass to the next, and what C(status) shows of it."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, _STATE)
        self.seals = os.path.join(folder, SEALS)
        self.values: dict[str, t.Any] = {"copied": {}, "backlog": [], "problem": None, "complete": None, "tried": None}
        known = read_object(self._path) or {}
        self.values.update({key: known[key] for key, usual in self.values.items() if _fits(known.get(key), usual)})

    @property
    def copied(self) -> dict[str, dict[str, str]]:
        return self.values["copied"]

    def write(self, **values: t.Any) -> None:
        """Write it so that a reader sees the old file or the new one. Losing it costs time and nothing else."""
        self.values.update(values)
        write_object(self._path, self.values, 0o644)


class Mirror:
    """The directory of all trainings, a bucket, and the passes that make the one follow the other."""

    def __init__(self, directory: str, bucket: Rclone, state: State, keep: int, secret: bytes) -> None:
        self.directory, self.bucket, self.state, self.keep = directory, bucket, state, keep
        self._seal: t.Callable[[Checkpoint], str] = lambda checkpoint: seal_of(checkpoint, secret)
        self.problems: list[str] = []

    def pass_once(self, say: t.Callable[[str], t.Any]) -> bool:
        """Bring what is missing until nothing is; tell whether the mirror is complete."""
        self.state.write(tried=_now(), backlog=self._names_missing_by_memory())
        try:
            self._bring(say)
            self._take_away(say)
        except (RcloneError, CheckpointError) as error:
            self.problems.append(str(error).rstrip("."))
        problem = "; ".join(self.problems) or None
        done = {} if problem else {"complete": _now()}
        self.state.write(problem=problem, backlog=self._names_missing_by_memory(), **done)
        return problem is None

    def _bring(self, say: t.Callable[[str], t.Any]) -> None:
        remote = {folder: dict(files) for folder, files in self.bucket.list().items()}
        tried: set[str] = set()
        while True:
            # Looked at again after each: the newest may have come meanwhile, and an old one may be gone.
            lacking = missing(self._checkpoints(), remote, self.state.copied, self._seal)
            lacking = [checkpoint for checkpoint in lacking if checkpoint.manifest["manifest_sha256"] not in tried]
            if not lacking:
                return
            checkpoint = lacking[0]
            tried.add(checkpoint.manifest["manifest_sha256"])
            folder, number = checkpoint.label, checkpoint.round
            try:
                verify(checkpoint.path)
                # In this order: without its manifest nobody takes a checkpoint for one.
                here = os.path.dirname(checkpoint.path)
                self.bucket.upload(here, arrays_name(number), folder)
                self._upload_seal(checkpoint, folder)
                self.bucket.upload(here, manifest_name(number), folder)
            except (CheckpointError, RcloneError) as error:
                if os.path.lexists(checkpoint.path):
                    if isinstance(error, RcloneError):
                        raise
                    self.problems.append(str(error).rstrip("."))
                continue
            self._remember(folder, number, self._seal(checkpoint))
            remote.setdefault(folder, {}).update(
                {arrays_name(number): checkpoint.manifest["bytes"], seal_name(number): 0, manifest_name(number): 0}
            )
            say(f"Round {number} of {checkpoint.training} is in the mirror.")

    def _upload_seal(self, checkpoint: Checkpoint, folder: str) -> None:
        name = seal_name(checkpoint.round)
        os.makedirs(self.state.seals, 0o755, exist_ok=True)
        path = os.path.join(self.state.seals, name)
        with open(path, "w", encoding="ascii") as stream:
            stream.write(self._seal(checkpoint))
        try:
            self.bucket.upload(self.state.seals, name, folder)
        finally:
            os.unlink(path)

    def _take_away(self, say: t.Callable[[str], t.Any]) -> None:
        there = {place: list_rounds(place) for place in directories(self.directory).values()}
        local, remote = self._checkpoints(), self.bucket.list()
        readable = {(os.path.dirname(checkpoint.path), checkpoint.round) for checkpoint in local}
        doubtful = {number for place, numbers in there.items() for number in numbers if (place, number) not in readable}
        for folder, numbers in overtaken(local, remote, doubtful).items():
            target = f"{PREVIOUS}/{folder}-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
            for name in (arrays_name, seal_name, manifest_name):
                there_too = [name(number) for number in numbers if name(number) in remote[folder]]
                if there_too:
                    self.bucket.move(folder, target, there_too)
            self._forget(folder, numbers)
            say(f"The training has begun again before rounds {_told(numbers)} of {folder}; they are moved to {target}.")
        for folder, numbers in superfluous(local, self.bucket.list(), self.keep, doubtful).items():
            for name in (manifest_name, seal_name, arrays_name):
                self.bucket.delete(folder, [name(number) for number in numbers])
            self._forget(folder, numbers)
            say(f"Rounds {_told(numbers)} of {folder} are removed from the mirror, which keeps {self.keep}.")

    def _checkpoints(self) -> list[Checkpoint]:
        places = directories(self.directory).values()
        return [checkpoint for place in places for checkpoint in list_checkpoints(place, strict=True)]

    def _remember(self, folder: str, number: int, seal: str) -> None:
        self.state.copied.setdefault(folder, {})[str(number)] = seal
        self.state.write(backlog=self._names_missing_by_memory())

    def _forget(self, folder: str, numbers: t.Iterable[int]) -> None:
        for number in numbers:
            self.state.copied.get(folder, {}).pop(str(number), None)

    def _names_missing_by_memory(self) -> list[str]:
        """Return what is to be copied as far as is known without asking the bucket, which may be away."""
        with suppress(CheckpointError):
            return [
                os.path.relpath(checkpoint.path, self.directory)
                for checkpoint in self._checkpoints()
                if self.state.copied.get(checkpoint.label, {}).get(str(checkpoint.round)) != self._seal(checkpoint)
            ]
        return self.state.values["backlog"]


def main() -> int:
    """Be the program: 0 when the mirror is complete, 1 when another pass is needed."""
    parser = argparse.ArgumentParser()
    for name in ("--directory", "--base", "--state", "--secret"):
        parser.add_argument(name, required=True)
    parser.add_argument("--keep", type=int, required=True)
    given = parser.parse_args()
    secret = read_secret(given.secret)
    mirror = Mirror(given.directory, Rclone(given.base), State(given.state), given.keep, secret)
    complete = mirror.pass_once(_say)
    if not complete:
        waiting = len(mirror.state.values["backlog"])
        _say(f"The mirror is not complete: {'; '.join(mirror.problems)}. {waiting} to be copied.")
    return 0 if complete else 1


def _fits(value: t.Any, usual: t.Any) -> bool:
    return isinstance(value, str if usual is None else type(usual))


def _say(text: str) -> None:
    """Write a line to the journal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _told(numbers: t.Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
