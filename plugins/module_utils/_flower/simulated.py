# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation that is simulated on one host: its folder, its app, and the run of a training.

All of it is that of the account which simulates. Nothing of it is a service, and nothing of it is root's.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import typing as t

from .._base.errors import FedopsError
from .._base.notation import as_list
from .app import digest
from .deployment import unpack
from .fab import write_files

PROGRAM_FILE, SPEC_FILE, LOG_FILE = "simulate.py", "simulation.json", "simulation.log"
_LOG_LINES = 15
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
                    event = json.loads(line)
                    rounds[event["round"]] = event
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SimulationError(f"{self.published}/history.jsonl cannot be read: {error}. Remove it.") from error
        return [rounds[number] for number in sorted(rounds)]

    def is_finished(self, configuration_hash: str, code: str, rounds: int) -> bool:
        """Tell whether all rounds of this configuration and code are trained."""
        result = self.told("result.json")
        same = result.get("configuration_hash") == configuration_hash and result.get("code", "") == code
        return same and isinstance(result.get("rounds"), int) and result["rounds"] >= rounds

    def run(self, python: str, program: str, spec: t.Mapping[str, t.Any]) -> None:
        """Run the training to its end; what it says goes to the log."""
        os.makedirs(self.published, exist_ok=True)
        path = os.path.join(self.published, SPEC_FILE)
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(spec, stream, indent=2)
        for name in ("result.json", "failure.json"):
            if os.path.exists(os.path.join(self.published, name)):
                os.unlink(os.path.join(self.published, name))
        with tempfile.TemporaryDirectory(prefix="fedops-") as scratch, open(self.log, "w", encoding="utf-8") as log:
            # Ray's sockets lie there, whose paths must be short.
            environment = {**os.environ, "RAY_TMPDIR": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
            try:
                status = subprocess.call(
                    [python, program, path], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
                )
            except OSError as error:
                raise SimulationError(f"{python} cannot be run: {error.strerror}. Set simulation_python.") from error
        if status != 0 or not self.told("result.json"):
            raise SimulationError(self._why(status))

    def _why(self, status: int) -> str:
        failure = self.told("failure.json").get("message")
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            tail = "".join(stream.readlines()[-_LOG_LINES:])
        why = failure or f"its program has ended with status {status}"
        return f"The simulation of the training {self.training} has failed: {why}. Its log is {self.log}.\n{tail}"


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
