# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation that is simulated on one host: its folder, its app, and the run of a training.

All of it is that of the account which simulates. Nothing of it is a service, and nothing of it is root's.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import time
import typing as t

from .._base.errors import FedopsError
from .._base.notation import as_list, is_unset, show, values_of
from .._checkpoint.lock import take_lock
from .._config.privacy import Privacy, has_spent
from .._config.stopping import Stopping, has_stopped
from .app import digest
from .deployment import unpack
from .fab import write_files

PROGRAM_FILE, SPEC_FILE, LOG_FILE = "simulate.py", "simulation.json", "simulation.log"
# Known to the program as well: how it is started, when somebody has looked at it last, and how it has ended.
KEEP, FOLLOWED_FILE, STATUS_FILE = "--keep", "simulation.followed", "simulation.status"
LOCK_FILE = ".simulation.lock"
OF_A_RUN = ("effective.json", "result.json", "failure.json")
# Numbers by their names: what each is by itself, its bound, and whether it must be above that.
NUMBERS_OF_A_SIMULATION: t.Mapping[str, tuple[float, int, bool]] = {
    "cpus": (1, 0, True),
    "gpus": (0, 0, False),
    "alpha": (0.5, 0, True),
}
_LOG_LINES = 15
_LOOK_EVERY = 0.5  # seconds
_LONGEST_NAME = 200  # bytes
_USUAL_SITES = 3
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class SimulationError(FedopsError):
    """The simulation cannot be run, or has failed; the message says why."""


class Simulation:
    """The folder C(directory) with one training in it, and what its runs have told."""

    def __init__(self, directory: str, training: str) -> None:
        self.directory, self.training = directory, training
        self.published = os.path.join(directory, "published", training)
        self.log = os.path.join(self.published, LOG_FILE)

    def source(self, checksum: str) -> str:
        """Return where an app and the program that simulates lie."""
        return os.path.join(self.directory, "app", checksum[:16])

    def has(self, checksum: str) -> bool:
        """Tell whether the app is there, whole and as it was sent."""
        source = self.source(checksum)
        found = {}
        for folder, dummy, names in os.walk(source):
            paths = [os.path.join(folder, name) for name in names]
            found.update({os.path.relpath(path, source): path for path in paths if not path.endswith(".pyc")})
        return digest(dict(sorted(found.items()))) == checksum

    def put(self, checksum: str, archive: str) -> None:
        """Put an app in place, in the stead of those of before."""
        apps, files = os.path.dirname(self.source(checksum)), unpack(archive)
        shutil.rmtree(apps, ignore_errors=True)
        os.makedirs(apps, exist_ok=True)
        write_files(self.source(checksum), files)

    def told(self, name: str) -> dict[str, t.Any]:
        """Return what a file of the training says; empty where there is none."""
        try:
            with open(os.path.join(self.published, name), encoding="utf-8") as stream:
                found = json.load(stream)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def history(self) -> list[dict[str, t.Any]]:
        """Return the finished rounds, each as it was told last."""
        rounds: dict[int, dict[str, t.Any]] = {}
        try:
            with open(os.path.join(self.published, "history.jsonl"), encoding="utf-8") as stream:
                for line in stream:
                    if not line.endswith("\n"):
                        break  # it is being written
                    event = json.loads(line)
                    rounds[event["round"]] = event
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SimulationError(f"{self.published}/history.jsonl cannot be read: {error}. Remove it.") from error
        return [rounds[number] for number in sorted(rounds)]

    def is_finished(self, configuration_hash: str, code: str, rounds: int, run_config: str = "") -> bool:
        """Tell whether this configuration and code is trained to its end, which may have come before its last round."""
        result = self.told("result.json")
        if result.get("configuration_hash") != configuration_hash or result.get("code", "") != code:
            return False
        given = values_of(run_config)
        ended = has_stopped(result, Stopping.in_run_config(given)) or has_spent(result, Privacy.in_run_config(given))
        return ended or (isinstance(result.get("rounds"), int) and result["rounds"] >= rounds)

    @property
    def at_work(self) -> str:
        """Return which training is simulated in the folder now: whoever does it holds its lock. Empty: none is."""
        try:
            lock = self._open_lock()
        except FileNotFoundError:
            return ""
        try:
            return "" if take_lock(lock, budget=0) else os.pread(lock, _LONGEST_NAME, 0).decode("utf-8", "replace")
        finally:
            os.close(lock)

    def is_begun(self, spec: t.Mapping[str, t.Any]) -> bool:
        """Tell whether just this is at work already; SimulationError while something else is."""
        if not self.at_work:
            return False
        if self.at_work == self.training and self.told(SPEC_FILE) == spec:
            return True
        raise SimulationError(self._busy)

    def begin(self, python: str, program: str, spec: t.Mapping[str, t.Any]) -> None:
        """Run the training in the background; what it says goes to the log. It goes on while C(look) is called."""
        os.makedirs(self.published, exist_ok=True)
        lock = self._open_lock()
        try:
            if not take_lock(lock, budget=0):
                raise SimulationError(self._busy)
            os.ftruncate(lock, 0)
            os.pwrite(lock, self.training.encode(), 0)
            for name in (*OF_A_RUN, STATUS_FILE):
                if os.path.exists(os.path.join(self.published, name)):
                    os.unlink(os.path.join(self.published, name))
            path = os.path.join(self.published, SPEC_FILE)
            with open(path, "w", encoding="utf-8") as stream:
                json.dump(spec, stream, indent=2)
            self._touch()
            with open(self.log, "w", encoding="utf-8") as log:
                self._start([python, program, KEEP, path], log, lock)
        finally:
            os.close(lock)  # what was started has it as well, until it ends

    @property
    def _busy(self) -> str:
        return (
            f"The training {self.at_work or self.training} is being simulated in {self.directory}, not as is asked for"
            " now. Wait for its end, which comes two minutes after that of its playbook, or set simulation_directory."
        )

    def _start(self, command: list[str], log: t.IO[str], lock: int) -> None:
        try:
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
                pass_fds=(lock,),
            )
        except OSError as error:
            raise SimulationError(f"{command[0]} cannot be run: {error.strerror}. Set simulation_python.") from error

    def look(self, wait_for_round: int, seconds: float) -> bool:
        """Wait for a round that is finished, or the end, but not longer than so; tell whether it is still at work."""
        self._touch()
        deadline = time.monotonic() + seconds
        while self.at_work:
            if any(event["round"] >= wait_for_round for event in self.new_rounds) or time.monotonic() >= deadline:
                return True
            time.sleep(_LOOK_EVERY)
        return False

    @property
    def new_rounds(self) -> list[dict[str, t.Any]]:
        """Return the rounds of the run that is at work, as far as it has said which that is."""
        run_id = self.told("effective.json").get("run_id")
        return [event for event in self.history if run_id and event.get("run_id") == run_id]

    def expect_result(self) -> None:
        """Raise a SimulationError, with the reason, where the run has ended without a result."""
        status = self.told(STATUS_FILE).get("status")
        if status not in (None, 0) or not self.told("result.json"):
            raise SimulationError(self._why(status))

    def _open_lock(self) -> int:
        return os.open(os.path.join(self.directory, LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _touch(self) -> None:
        with open(os.path.join(self.published, FOLLOWED_FILE), "w", encoding="utf-8"):
            pass

    def _why(self, status: int | None) -> str:
        failure = self.told("failure.json").get("message")
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            tail = "".join(stream.readlines()[-_LOG_LINES:])
        why = failure or f"its program has ended{'' if status is None else f' with status {status}'}"
        return f"The simulation of the training {self.training} has failed: {why}. Its log is {self.log}.\n{tail}"


def simulation_settings(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the settings of a simulation as they hold, by their names without C(simulation_), and what is wrong.

    An answer that was left empty is that of C(NUMBERS_OF_A_SIMULATION). C(problems) has a sentence each.
    """
    found: dict[str, t.Any] = {}
    problems = []
    for name, (usual, least, is_open) in NUMBERS_OF_A_SIMULATION.items():
        value = usual if is_unset(given.get(name)) else given[name]
        try:
            found[name] = float(value)
        except (TypeError, ValueError):
            found[name] = math.nan
        if isinstance(value, bool) or not (least < found[name] < math.inf or (found[name] == least and not is_open)):
            bound = f"above {least}" if is_open else f"at least {least}"
            problems.append(
                f"simulation_{name} is {show(value)} but must be a number {bound}. Leave it unset for {usual}."
            )
    return {**found, "problems": problems}


def simulated_sites(asked: t.Any, data: str, folders: t.Iterable[str] | None) -> list[dict[str, str]]:
    """Return the sites with their data: as many as are asked for, those that are named, or all that have a folder."""
    names = sorted(os.path.basename(path) for path in folders) if folders is not None else None
    wanted = [str(entry).strip() for entry in as_list(asked)]
    if len(wanted) == 1 and wanted[0].isdecimal():
        count = int(wanted[0])
        wanted = [f"site-{number + 1}" for number in range(count)] if names is None else names[:count]
        if not 1 <= count == len(wanted):
            raise SimulationError(
                f"simulation_sites is {count} but must be 1 or more, and at most the folders of data that there are"
                f" ({len(names or [])} in {data})."
            )
    wanted = wanted or (names if names is not None else [f"site-{number + 1}" for number in range(_USUAL_SITES)])
    wrong = [name for name in wanted if not _NAME.fullmatch(name) or (names is not None and name not in names)]
    if wrong or not wanted or len(set(wanted)) < len(wanted):
        raise SimulationError(
            f"simulation_sites is {asked!r} but must be a number, or different names of folders in {data}: letters,"
            f" digits, hyphens, dots and underscores. Not so: {', '.join(wrong) or 'there is none, or one twice'}."
        )
    return [{"name": name, "data": os.path.join(data, name)} for name in wanted]
