# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following trainings for one tracker: C(flower-tracker-NAME.service), away from the training.

It reads what ServerApps and supervisors have written, and nothing waits for it. What a tracker cannot take now it gets
later; until then that is its backlog.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import typing as t
from contextlib import suppress
from datetime import datetime, timezone

from .._base.guarded import status
from .._base.jsonable import harmless
from .._base.loopback import keep_loopback
from .._base.records import read_object, write_object
from .._base.systemd import notify
from .._training.folder import LEDGER_FILE, MEMORY_FILE, REQUEST_FILE, TrainingFolder, TrainingNameError
from .figures import NO_SITES
from .following import Following
from .to_csv import CsvTracker
from .to_mlflow import MlflowTracker
from .to_tensorboard import TensorboardTracker
from .to_wandb import WandbTracker
from .tracker import STATE_FILE, Tracker

RUNS = "runs"  # in the folder that the program may write
_MAKERS: t.Mapping[str, t.Callable[[str, t.Mapping[str, t.Any], t.Mapping[str, str]], Tracker]] = {
    "mlflow": MlflowTracker,
    "wandb": WandbTracker,
    "tensorboard": TensorboardTracker,
    "csv": CsvTracker,
}
LOOK = 2.0  # seconds between two looks for news
SHORTEST_RETRY, LONGEST_RETRY = 5.0, 300.0  # seconds between two tries of a tracker that does not answer
_SECRETS, _AUTHORITY = "secrets", "ca"  # credentials
_SAVE = 1.0  # seconds between two notes of how far it is
_WORDS = 400  # of a problem


class TrackerProgram:
    """One tracker and the trainings that it follows."""

    def __init__(self, home: str, settings: str, state: str, credentials: str = "") -> None:
        self.home, self._settings = home, settings
        # As systemd hands them over.
        secrets = read_object(os.path.join(credentials, _SECRETS)) if credentials else {}
        self._secrets = {key: str(value) for key, value in (secrets or {}).items()}
        authority = os.path.join(credentials, _AUTHORITY)
        self._authority = authority if credentials and os.path.exists(authority) else ""
        self._path = os.path.join(state, STATE_FILE)
        self._told = read_object(self._path) or {}
        self._folder = os.path.join(state, RUNS)
        self._followed: dict[str, Following] = {}
        self._seen: dict[str, t.Any] = {}
        self._tracker: Tracker | None = None
        self._saved = 0.0
        self._unsaved = ""  # why how far it is could not be written down
        self.problem = ""
        self.failures = 0

    def look(self) -> float:
        """Tell of what is new; return after how many seconds to look again."""
        settings = read_object(self._settings) or {}
        trainings = settings.get("trainings")
        wanted = trainings if isinstance(trainings, dict) else {}
        for name in [name for name in self._followed if name not in wanted]:
            self._followed.pop(name).leave()
            self._seen.pop(name, None)
        problems = []
        for name, options in wanted.items():
            if problem := self._follow(name, options, settings):
                problems.append(problem)
        self.failures = self.failures + 1 if problems else 0
        if (problem := problems[0] if problems else "") != self.problem:
            _say(f"{problem}. It is tried again; the training does not wait." if problem else "All is well again.")
        self.problem = problem
        self.save(now=True)
        return min(LONGEST_RETRY, SHORTEST_RETRY * 2 ** (self.failures - 1)) if problems else LOOK

    def _follow(self, name: str, options: t.Any, settings: t.Mapping[str, t.Any]) -> str:
        """Follow one training, and say what is wrong with its tracker."""
        try:
            folder = TrainingFolder(self.home, name)
        except TrainingNameError as error:
            return str(error)
        seen = _stamps(folder)
        if self._seen.get(name) == seen:
            return ""
        try:
            self._one(name, folder, options if isinstance(options, dict) else {}, settings).step()
        except Exception as error:  # libraries of others raise what they like
            self._seen.pop(name, None)
            return f"{name}: {self._harmless(error)}"
        self._seen[name] = seen
        return ""

    def _one(self, name: str, folder: TrainingFolder, options: t.Any, settings: t.Mapping[str, t.Any]) -> Following:
        if name not in self._followed:
            if self._tracker is None:
                os.makedirs(self._folder, 0o755, exist_ok=True)
                options_of = {**(settings.get("options") or {}), "ca": self._authority}
                self._tracker = _MAKERS[str(settings.get("tracker"))](self._folder, options_of, self._secrets)
            known = self._told.get("trainings")
            memory = known.get(name) if isinstance(known, dict) else None
            self._followed[name] = Following(
                folder,
                self._tracker,
                memory,
                str(options.get("sites") or NO_SITES),
                str(options.get("place") or ""),
                self.save,
            )
        return self._followed[name]

    def save(self, now: bool = False) -> None:
        """Write down how far it is, for whoever looks; that is a sign of life, too."""
        notify(WATCHDOG=1)
        if now or time.monotonic() > self._saved + _SAVE:
            trainings = self._told.get("trainings")
            known = dict(trainings) if isinstance(trainings, dict) else {}
            known.update({name: dict(followed.memory) for name, followed in self._followed.items()})
            told = {"trainings": known, "problem": self.problem, "time": _now()}
            self._saved = time.monotonic()
            if {**told, "time": ""} != {**self._told, "time": ""} or self._unsaved:
                self._told = told
                self._write(told)

    def _write(self, told: t.Mapping[str, t.Any]) -> None:
        """Write the notes down. Where that fails, as on a full disk, the tracker is told all the same."""
        unsaved = ""
        try:
            write_object(self._path, told, 0o644)
        except OSError as error:
            unsaved = f"{self._path} cannot be written: {error.strerror}"
        if unsaved != self._unsaved:
            _say(
                f"{unsaved}. The status lags; the tracker is told all the same." if unsaved else "It is written again."
            )
        self._unsaved = unsaved

    def leave(self) -> None:
        """Let go of everything, with what was told on its way."""
        for followed in self._followed.values():
            followed.leave()
        self.save(now=True)

    def _harmless(self, error: Exception) -> str:
        """Return what an error says, in one line and without a secret that it may hold."""
        text = f"{type(error).__name__}: {error}"
        for secret in filter(None, self._secrets.values()):
            text = text.replace(secret, "(a secret)")
        return harmless(text, _WORDS).rstrip(".")


def main() -> int:
    """Be the program: follow until it is told to end."""
    parser = argparse.ArgumentParser()
    for name in ("--home", "--settings", "--state"):
        parser.add_argument(name, required=True)
    parser.add_argument("--credentials", default="")
    given = parser.parse_args()
    keep_loopback(os.environ)  # a server of this host
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *dummy: over.set())
    program = TrackerProgram(given.home, given.settings, given.state, given.credentials)
    notify(READY=1)
    while not over.is_set():
        over.wait(program.look())
    notify(STOPPING=1)
    program.leave()
    return 0


def _stamps(folder: TrainingFolder) -> t.Any:
    """Return what changes whenever there is news of a training."""
    return (folder.history_stamp, *(_stamp(os.path.join(folder.path, name)) for name in _OF_SUPERVISION))


_OF_SUPERVISION = (LEDGER_FILE, MEMORY_FILE, REQUEST_FILE)


def _stamp(path: str) -> tuple[int, int] | None:
    with suppress(OSError):
        if found := status(path):
            return found.st_ino, found.st_mtime_ns
    return None


def _say(text: str) -> None:
    """Write a line to the journal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
