# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a training on the SuperLink host: what its ServerApp writes, and the ledger of its runs.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import typing as t
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from ._files import replacing
from ._flwr import as_service_account
from ._plain import plain

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class TrainingNameError(Exception):
    """The name of a training would not make a safe folder name."""


@dataclass(frozen=True)
class LedgerEntry:
    """A run that was submitted for a training, and what it was asked to do."""

    run_id: str
    configuration_hash: str | None
    fab_hash: str
    num_rounds: int | None
    submitted_at: str
    request_id: str = ""  # for which order to train, where a supervisor has submitted it


class TrainingFolder:
    """The folder C(<home>/trainings/<name>)."""

    def __init__(self, home: str, name: str) -> None:
        if not NAME.fullmatch(name):
            raise TrainingNameError(
                f"name is {name!r} but must start with a lower-case letter or a digit and hold only those and hyphens,"
                " 63 at most. Choose another training name."
            )
        self.name = name
        self.parent = os.path.join(home, "trainings")
        self.path = os.path.join(self.parent, name)

    @property
    def effective(self) -> dict[str, t.Any] | None:
        """Return the configuration that the latest ServerApp really used."""
        return read_object(os.path.join(self.path, "effective.json"))

    @property
    def result(self) -> dict[str, t.Any] | None:
        """Return the outcome of the latest run that reached its end."""
        return read_object(os.path.join(self.path, "result.json"))

    @property
    def history(self) -> list[dict[str, t.Any]]:
        """Return the finished rounds in order."""
        return replay(self.events)

    @property
    def events(self) -> list[dict[str, t.Any]]:
        """Return every round that was ever finished under this name, as written."""
        return [line for line in read_lines(os.path.join(self.path, "history.jsonl")) if is_round(line)]

    @property
    def ledger(self) -> list[LedgerEntry]:
        """Return the runs submitted so far, newest last."""
        runs = (read_object(os.path.join(self.path, "ledger.json")) or {}).get("runs")
        return [
            LedgerEntry(
                run_id=str(run["run_id"]),
                configuration_hash=run.get("configuration_hash"),
                fab_hash=str(run.get("fab_hash", "")),
                num_rounds=run.get("num_rounds"),
                submitted_at=str(run.get("submitted_at", "")),
                request_id=str(run.get("request_id", "")),
            )
            for run in (runs if isinstance(runs, list) else [])
            if isinstance(run, dict) and "run_id" in run
        ]

    def record(self, entry: LedgerEntry) -> None:
        """Add a run to the ledger."""
        runs = [asdict(known) for known in (*self.ledger, entry)]
        with as_service_account():
            os.makedirs(self.path, 0o750, exist_ok=True)
        write_object(os.path.join(self.path, "ledger.json"), {"runs": runs})

    @contextmanager
    def lock(self) -> t.Iterator[None]:
        """Keep two submissions of one training apart, so that neither overlooks the other's run."""
        with as_service_account():
            os.makedirs(self.path, 0o750, exist_ok=True)
            descriptor = os.open(os.path.join(self.path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


@contextmanager
def submission_lock(home: str) -> t.Iterator[None]:
    """Let one training after the other submit, so that a run that nobody wrote down is surely the last one's."""
    folder = os.path.join(home, "trainings")
    with as_service_account():
        os.makedirs(folder, 0o750, exist_ok=True)
        descriptor = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replay(events: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the rounds that lead to the newest model.

    A resumed run repeats the rounds after its checkpoint, and a run of another configuration starts again:
    a round that is finished once more undoes itself and all that came after it.
    """
    history: list[dict[str, t.Any]] = []
    for event in events:
        if history and event.get("configuration_hash") != history[-1].get("configuration_hash"):
            history = []
        history = [known for known in history if known["round"] < event["round"]]
        history.append(event)
    return history


def is_round(line: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a line of the history speaks of a finished round."""
    return line.get("event") == "round_finished" and isinstance(line.get("round"), int)


def read_object(path: str) -> dict[str, t.Any] | None:
    """Return the JSON object in a file, or None when there is none, or none that is whole."""
    try:
        with open(path, encoding="utf-8") as stream:
            value = plain(json.load(stream))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def read_lines(path: str) -> list[dict[str, t.Any]]:
    """Return the JSON objects in a file of one object a line; none when it cannot be read."""
    try:
        # One damaged character takes its line with it at most.
        with open(path, encoding="utf-8", errors="replace") as stream:
            return parse_lines(stream.read())
    except OSError:
        return []


def parse_lines(text: str) -> list[dict[str, t.Any]]:
    """Return the JSON objects in a text of one object a line; a line that is still being written is left out."""
    objects = []
    for line in text.split("\n"):  # a value may hold other ends of lines
        try:
            value = plain(json.loads(line))
        except ValueError:
            continue
        if isinstance(value, dict):
            objects.append(value)
    return objects


def write_object(path: str, value: t.Mapping[str, t.Any]) -> None:
    """Write a JSON object as Flower's account, so that a reader sees the old file or the new one, whole."""
    text = json.dumps(plain(value), indent=2, allow_nan=False) + "\n"
    with as_service_account(), replacing(path, 0o640) as stream:
        stream.write(text.encode())
