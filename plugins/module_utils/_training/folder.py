# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a training on the SuperLink host: what is asked of it and the ledger of its runs, and what it tells.

The one is the account's that supervises trainings, and only root and that account write there. The other is the
account's that runs the ServerApps: everything in it is a claim, and counts as far as it fits the ledger.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import stat
import typing as t
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass

from .._base import identity, notation, records
from .._base.accounts import uid_of
from .._base.errors import FedopsError
from .._base.guarded import ROOT, locked, status
from .._base.jsonable import is_whole
from .._base.layout import folder as folder_of
from .._base.pseudonyms import SiteNames
from .._supernode.ledger import registered
from .claims import (
    EFFECTIVE_FILE,
    FAILURE_FILE,
    HISTORY_FILE,
    RESULT_FILE,
    WAITING_FILE,
    ClaimError,
    read_claim,
    read_history,
    replay,
)

TRAINING_NAME = re.compile(notation.NAME_OF_TRAINING)
LEDGER_FILE, REQUEST_FILE, MEMORY_FILE = "ledger.json", "request.json", "supervision.json"
RECORD_MODE, FOLDER_MODE = 0o640, 0o750


class TrainingNameError(FedopsError):
    """The name of a training would not make a safe folder name."""


class RefusedError(FedopsError):
    """A training must not begin; the message says why and what to do, but not which training it is."""


@dataclass(frozen=True)
class LedgerEntry:
    """A run that was submitted for a training, and what it was asked to do."""

    run_id: str
    configuration_hash: str | None
    fab_hash: str
    num_rounds: int | None
    submitted_at: str
    request_id: str = ""  # for which order to train, where a supervisor has submitted it
    code: str = ""  # hash of the user's code that it trains with; empty where nobody has told


class TrainingFolder:
    """The folder C(<home>/trainings/<name>), and C(<home>/published/<name>) with what its ServerApps tell."""

    def __init__(self, home: str, name: str) -> None:
        if not TRAINING_NAME.fullmatch(name):
            raise TrainingNameError(
                f"name is {name!r} but must start with a lower-case letter or a digit and hold only those and hyphens,"
                " 63 at most. Choose another training name."
            )
        self.home, self.name = home, name
        self.parent = folder_of(home, "trainings")
        self.path = os.path.join(self.parent, name)

    @property
    def published(self) -> str:
        """Return where its ServerApps write; before the host has separate accounts, that is the same folder."""
        if is_shared(self.path):
            return self.path
        return os.path.join(folder_of(self.home, "published"), self.name)

    @property
    def effective(self) -> dict[str, t.Any] | None:
        """Return the configuration that the latest ServerApp says it used."""
        return self._own(EFFECTIVE_FILE)

    @property
    def result(self) -> dict[str, t.Any] | None:
        """Return the outcome of the latest run that reached its end."""
        return self._own(RESULT_FILE)

    @property
    def failure(self) -> dict[str, t.Any] | None:
        """Return what the latest ServerApp that has failed says of that, with the names of sites."""
        found = self._own(FAILURE_FILE)
        if found and isinstance(found.get("message"), str):
            found["message"] = self.site_names.real(found["message"])
        return found

    @property
    def waiting(self) -> dict[str, t.Any] | None:
        """Return for which sites a round of the latest ServerApp waits, by their names; None while it does not."""
        found = self._own(WAITING_FILE)
        if found:
            found["sites"] = [self.site_names.real(site) for site in found["sites"]]
        return found

    @property
    def site_names(self) -> SiteNames:
        """Return the names of sites, which what ServerApps leave calls by other words."""
        return SiteNames(map(asdict, registered(self.home)))

    @property
    def history(self) -> list[dict[str, t.Any]]:
        """Return the finished rounds in order."""
        return replay(self.events)

    @property
    def events(self) -> list[dict[str, t.Any]]:
        """Return every round that a run of this training tells of, as written; of very many, the last.

        A run tells of the round that it goes on from, where nobody else has. The run that has finished it may be
        unknown, as on a host that has its checkpoints from the mirror.
        """
        own = self.run_ids
        events = read_history(self.published, claimants())[0]
        return [event for event in events if (event.get("told_by") or event.get("run_id")) in own]

    @property
    def history_stamp(self) -> tuple[int, ...] | None:
        """Return what changes whenever the history does."""
        try:
            found = status(os.path.join(self.published, HISTORY_FILE))
        except OSError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None

    @property
    def ledger(self) -> list[LedgerEntry]:
        """Return the runs submitted so far, newest last."""
        runs = (read_object(os.path.join(self.path, LEDGER_FILE)) or {}).get("runs")
        return [
            LedgerEntry(
                run_id=str(run["run_id"]),
                configuration_hash=_text(run.get("configuration_hash")),
                fab_hash=str(run.get("fab_hash", "")),
                num_rounds=_whole(run.get("num_rounds")),
                submitted_at=str(run.get("submitted_at", "")),
                request_id=str(run.get("request_id", "")),
                code=_text(run.get("code")) or "",
            )
            for run in (runs if isinstance(runs, list) else [])
            if isinstance(run, dict) and "run_id" in run
        ]

    @property
    def run_ids(self) -> set[str]:
        """Return the ids of all runs of this training."""
        return {entry.run_id for entry in self.ledger}

    @property
    def problems(self) -> list[str]:
        """Say what cannot be read of this training, and is left out of everything else."""
        found = []
        for name in (LEDGER_FILE, REQUEST_FILE, MEMORY_FILE):
            try:
                path = os.path.join(self.path, name)
                records.read_record(path, _writers(path))
            except records.RecordError as error:
                found.append(f"its {name} cannot be read: {error}.")
        own = self.run_ids
        for name in (EFFECTIVE_FILE, RESULT_FILE, FAILURE_FILE, WAITING_FILE):
            try:
                claim = read_claim(self.published, name, claimants())
                if claim is not None and claim["run_id"] not in own:
                    found.append(f"its {name} tells of run {claim['run_id']}, which is no run of it.")
            except ClaimError as error:
                found.append(f"its {name} cannot be read: {error}.")
        if problem := read_history(self.published, claimants())[1]:
            found.append(f"its {HISTORY_FILE} cannot be read: {problem}.")
        return found

    def record(self, entry: LedgerEntry) -> None:
        """Add a run to the ledger."""
        runs = [asdict(known) for known in (*self.ledger, entry)]
        self.make()
        write_object(os.path.join(self.path, LEDGER_FILE), {"runs": runs})

    def make(self) -> None:
        """Have the folder of what is asked for."""
        make_folder(self.path)

    @contextmanager
    def lock(self) -> t.Iterator[None]:
        """Keep two submissions of one training apart, so that neither overlooks the other's run."""
        self.make()
        with held(os.path.join(self.path, ".lock")):
            yield

    def _own(self, name: str) -> dict[str, t.Any] | None:
        """Return a claim that is sound and about a run of this training."""
        try:
            claim = read_claim(self.published, name, claimants())
        except ClaimError:
            return None
        return claim if claim is not None and claim["run_id"] in self.run_ids else None


@contextmanager
def submission_lock(home: str) -> t.Iterator[None]:
    """Let one training after the other submit, so that a run that nobody wrote down is surely the last one's."""
    folder = folder_of(home, "trainings")
    make_folder(folder)
    with held(os.path.join(folder, ".lock")):
        yield


@contextmanager
def held(path: str, wait: bool = True) -> t.Iterator[bool]:
    """Hold a lock of the account that supervises trainings; give whether we have it."""
    with ExitStack() as stack:
        with as_keeper(path):
            own = stack.enter_context(locked(path, wait=wait))
        yield own


def make_folder(path: str) -> None:
    """Have a folder of the account that supervises trainings."""
    with as_keeper(path):
        os.makedirs(path, FOLDER_MODE, exist_ok=True)


def read_object(path: str) -> dict[str, t.Any] | None:
    """Return the JSON object in a record of a training, or None when there is none, or none that is whole."""
    return records.read_object(path, _writers(path))


def write_object(path: str, value: t.Mapping[str, t.Any]) -> None:
    """Write a JSON object as the account that keeps it, so that a reader sees the old file or the new one, whole."""
    with as_keeper(path):
        records.write_object(path, value, RECORD_MODE)


def _writers(path: str) -> set[int]:
    return {ROOT, uid_of(keeper_of(path))}


@contextmanager
def as_keeper(path: str) -> t.Iterator[None]:
    """Touch a file or folder as the account that keeps it."""
    with identity.as_account(keeper_of(path)):
        yield


def keeper_of(path: str) -> str:
    """Return the account that keeps a file of trainings."""
    return identity.APPS_USER if is_shared(path) else identity.CONTROL_USER


def is_shared(path: str) -> bool:
    """Tell whether a file of trainings lies where the account that runs the ServerApps keeps all of them.

    That is so before a host has separate accounts. Nobody but root makes a folder of another owner there.
    """
    ours, theirs = uid_of(identity.CONTROL_USER), uid_of(identity.APPS_USER)
    found = _nearest_folder(path)
    return found is not None and found.st_uid == theirs != ours


def claimants() -> set[int]:
    """Return the users whose files claims are."""
    return {uid_of(identity.APPS_USER)}


def _nearest_folder(path: str) -> os.stat_result | None:
    for place in (path, os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
        try:
            if (found := status(place)) and stat.S_ISDIR(found.st_mode):
                return found
        except OSError:
            continue
    return None


def _whole(value: t.Any) -> int | None:
    return value if is_whole(value) else None


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) else None
