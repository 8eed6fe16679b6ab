# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Following a run on the SuperLink host: looking is cheap, asking Flower is a process of a second or two.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, replace

from .._base.guarded import names
from .._base.layout import folder as folder_of
from .._config.stopping import stopping_text
from .._flower.answers import FlwrError, FlwrUnreachableError, Run
from .._flower.assumptions import RUN_RUNNING, SILENT
from .._flower.cli import Flwr
from .._supernode.ledger import registered
from .folder import TRAINING_NAME, TrainingFolder
from .runs import ABSENT, LOST, UNREACHABLE, Known, known_runs

HISTORY_EVERY = 1.0  # seconds between looks at the history file
FIRST_QUESTION = 4.0  # seconds until Flower is asked for the first time: a run that fails at once is seen soon
_ASK_EVERY = 10.0
_ASK_AT_THE_END = 3.0  # after the last round, when the end is near


def training_names(home: str) -> list[str]:
    """Return the names of the trainings that left anything."""
    try:
        found = names(folder_of(home, "trainings"))
    except OSError:
        return []
    return [name for name in found if TRAINING_NAME.fullmatch(name)]


def other_trainings(folder: TrainingFolder) -> list[TrainingFolder]:
    """Return the folders of the other trainings of the same home."""
    return [TrainingFolder(folder.home, name) for name in training_names(folder.home) if name != folder.name]


def find_training(home: str, run_id: str) -> str | None:
    """Return the name of the training that a run belongs to."""
    for name in training_names(home):
        if any(known.run_id == run_id for known in known_runs(TrainingFolder(home, name), [])):
            return name
    return None


def latest_run(folder: TrainingFolder, runs: t.Iterable[Run], run_id: str | None = None) -> Known:
    """Return the newest run of a training, or the one that is asked for."""
    known = known_runs(folder, runs)
    wanted = [run for run in known if run_id in (None, run.run_id)]
    return wanted[-1] if wanted else Known(run_id or "", ABSENT)


def unasked_run(folder: TrainingFolder, problem: FlwrError, run_id: str | None = None) -> Known:
    """Return the same by files alone, with why Flower cannot be asked where nothing but its word is missing."""
    run = latest_run(folder, [], run_id)
    unknown = run.status == LOST or (run.run_id and run.status == ABSENT)
    return replace(run, status=UNREACHABLE, details=str(problem)) if unknown else run


def describe(folder: TrainingFolder, run: Known) -> dict[str, t.Any]:
    """Return a training and its run as a module returns them."""
    return {
        "name": folder.name,
        **describe_run(run),
        "finished": run.is_completed,
        "history": folder.history,
        "effective": folder.effective,
        "result": folder.result,
        "stopped_early": stopping_text(folder.result or {}) or None,
        "problems": folder.problems,
        "site_names": site_names(folder.home),
    }


def site_names(home: str) -> list[dict[str, str]]:
    """Return what sites are called in histories, with their names, as SiteNames takes them."""
    told = ("name", "pseudonym", "node_id", "site", "host")
    return [{key: getattr(member, key) for key in told} for member in registered(home)]


def describe_run(run: Known) -> dict[str, t.Any]:
    """Return a run as a module returns it."""
    values = asdict(run)
    del values["reports"], values["replied"]
    values["run_id"] = run.run_id or None
    return values


def log_tail(flwr: Flwr, run: Known, lines: int) -> list[str]:
    """Return the end of a run's log, where there is one. A log that cannot be had must not hide the run's state."""
    if lines < 1 or not run.run_id or run.status in (*SILENT, ABSENT, UNREACHABLE):
        return []
    try:
        return flwr.log(run.run_id, lines)
    except FlwrError:
        return []


def wait(flwr: Flwr, folder: TrainingFolder, run_id: str, wait_for_round: int, seconds: float) -> Known:
    """Return as soon as the run has finished the round or is no longer alive, at the latest after some seconds.

    A SuperLink that does not answer is no reason to stop waiting: the run outlives its restart.
    """
    start = time.monotonic()
    end, question = start + seconds, start + FIRST_QUESTION
    while True:
        reached, complete = progress_of(folder, run_id, wait_for_round)
        if reached and not complete:
            # A round that was just finished, and not the last: no need to ask whether the run is alive.
            return replace(latest_run(folder, [], run_id), status=RUN_RUNNING, alive=True)
        if complete:
            question = min(question, start + HISTORY_EVERY)
        now = time.monotonic()
        if reached or now >= min(question, end):
            run = ask(flwr, folder, run_id)
            waiting = run.alive or run.status == UNREACHABLE
            if reached or not waiting or now >= end:
                return run
            question = now + (_ASK_AT_THE_END if complete else _ASK_EVERY)
        time.sleep(max(0.0, min(HISTORY_EVERY, end - time.monotonic())))


def progress_of(folder: TrainingFolder, run_id: str, wait_for_round: int) -> tuple[bool, bool]:
    """Tell whether the run has finished a round, and whether it has finished its last."""
    rounds = [event for event in folder.events if event.get("run_id") == run_id]
    reached = any(event["round"] >= wait_for_round for event in rounds)
    complete = any(event["round"] == event.get("num_rounds") or stopping_text(event) for event in rounds)
    return reached, complete or (folder.result or {}).get("run_id") == run_id


def ask(flwr: Flwr, folder: TrainingFolder, run_id: str) -> Known:
    """Ask the SuperLink for a run; one that does not answer makes it a run of unknown state."""
    try:
        return latest_run(folder, flwr.runs(), run_id)
    except FlwrUnreachableError as error:
        return Known(run_id, UNREACHABLE, details=str(error))
