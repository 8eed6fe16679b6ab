# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving a supervised training a run: the one that is alive, or a new one, and never two.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import signal
import time
import typing as t
from contextlib import contextmanager

from .._base.notation import values_of
from .._config.kit import apps_keys, has_kit, kit_key
from .._config.synonyms import keys_of
from .._config.table import BY_NAME
from .._flower.answers import FlwrError, FlwrUnreachableError, Run
from .._flower.app_record import check_fab, deployed_fab_hash
from .._flower.cli import Flwr
from .._flower.pinned import check_copy
from .._flower.processes import moment
from .._training.folder import LedgerEntry, TrainingFolder
from .._training.follow import training_names
from .._training.runs import Decision, decide, known_runs
from .desk import Desk
from .endings import LOG_WARNING
from .journal import Journal
from .memory import Memory, now
from .request import Request, with_values

SLACK = 2.0  # seconds; Flower's times are whole ones

FOLLOW = "follow"


class Submitter:
    """Decides on a run for a request, and submits it. Everything here happens under the locks of the trainings."""

    def __init__(self, desk: Desk, request: Request, memory: Memory, flwr: Flwr, journal: Journal) -> None:
        self.desk, self.folder, self.request, self.memory = desk, desk.folder, request, memory
        self.flwr, self.journal = flwr, journal

    def decide(self) -> Decision:
        """Decide what it takes: C(follow) our own run, C(adopt) one, C(submit) one, or nothing: C(finished)."""
        memory, request = self.memory, self.request
        runs = [] if self._nothing_is_alive() else self.flwr.runs()
        self._claim(runs)
        known = known_runs(self.folder, runs)
        if memory.runs and memory.run_id != memory.ended:
            # However it has ended meanwhile: the watch is to find out and to tell.
            return Decision(FOLLOW, next((run for run in known if run.run_id == memory.run_id), None))
        # What the ledger says outlives a memory that is lost.
        own = {run.run_id for run in self.folder.ledger if run.request_id and run.request_id == request.request_id}
        memory.learn(self.folder.effective, own)
        force = request.force and not memory.began
        if force and (alive := [run for run in known if run.alive and run.run_id in own]):
            return Decision("adopt", alive[-1])
        decision = decide(known, self.folder.result, request.wanted(self.num_rounds), force)
        if decision.action == "finished" and request.continuous and not memory.target:
            return Decision("submit", decision.run)  # the session before; another one is to come
        return decision

    @property
    def num_rounds(self) -> int | None:
        """Return how many rounds the training is to have in the end, or at the end of its session."""
        return (self.memory.target or None) if self.request.continuous else self.request.num_rounds

    def adopt(self, run_id: str) -> None:
        """Follow a run that is there."""
        self.memory.follow(run_id)
        if self.request.continuous and not self.memory.target:
            entry = next((entry for entry in self.folder.ledger if entry.run_id == run_id), None)
            self.memory.target = (entry.num_rounds if entry else None) or self.request.num_rounds or 0
        self.desk.remember(self.memory)
        self.journal.event("run_adopted", f"Run {run_id} is under way, following it.", run_id=run_id)

    def submit(self, decision: Decision) -> None:
        """Submit a run, in place of those that are in its way."""
        for run in decision.stop:
            self.flwr.stop(run.run_id)
        memory, request = self.memory, self.request
        check_copy(request.app)
        memory.submitting = str(time.time())
        self.desk.remember(memory)
        self._tell_of_another_app()
        with undisturbed():
            try:
                submission = self.flwr.submit(request.app, self._run_config())
                check_fab(self.flwr.home, request.app, submission.run_id, submission.fab_hash, self.flwr.stop)
            except FlwrUnreachableError:
                raise  # it may have arrived all the same: whoever comes next looks for it
            except FlwrError:
                memory.submitting = ""
                self.desk.remember(memory)
                raise
            self._write_down(submission.run_id, submission.fab_hash)
        run_id = submission.run_id
        self.journal.event("run_submitted", f"Run {run_id} is submitted.", run_id=run_id, num_rounds=self.num_rounds)

    def _tell_of_another_app(self) -> None:
        """Say that a training without an app of its own, which an earlier release has begun, gets another one."""
        before, app = self.folder.ledger[-1:], self.request.app
        now_hash = deployed_fab_hash(self.flwr.home, app) or ""
        known = self.request.code or not now_hash or not before or not before[0].fab_hash
        if known or now_hash.startswith(before[0].fab_hash):
            return
        self.journal.say(
            f"{self.folder.name}: {app} holds another app than run {before[0].run_id} was of (its FAB is"
            f" {now_hash[:8]}, and was {before[0].fab_hash[:8]}), and the training goes on with it. Train again"
            " (playbook fedops.flower.train), and it has its own.",
            LOG_WARNING,
        )

    def _run_config(self) -> str | None:
        """Return what to submit: a training that is to begin anew does so once, and then goes on where it was."""
        text = self.request.run_config
        values: dict[str, t.Any] = {}
        given = values_of(text)
        if self.memory.began and self.request.begins_anew:
            row = BY_NAME["resume"]
            values.update({row.key: "auto", kit_key(row): "auto"})
        if target := self.memory.target:
            row = BY_NAME["num_rounds"]
            values.update(dict.fromkeys(keys_of(row, apps_keys(given))[:1], target))
            if has_kit(given):  # what it is told replaces what an app has in its code, or under a key that is not set
                values[kit_key(row)] = target
                text += "" if kit_key(row) in given else f"{kit_key(row)} = {target}\n"
        return with_values(text, values) or None

    def _nothing_is_alive(self) -> bool:
        """Tell whether every run of this training is known to have ended, which saves a question."""
        if self.memory.submitting:
            return False
        ledger = self.folder.ledger
        return self.memory.ended == ledger[-1].run_id if ledger else self.folder.effective is None

    def _claim(self, runs: t.Sequence[Run]) -> None:
        """Find the run that was submitted just before a supervisor died, so that nothing is trained twice."""
        if not self.memory.submitting:
            return
        began, fab = float(self.memory.submitting), deployed_fab_hash(self.flwr.home, self.request.app)
        others = [TrainingFolder(self.flwr.home, name) for name in training_names(self.flwr.home)]
        owned = {run.run_id for folder in others if folder.name != self.folder.name for run in known_runs(folder, [])}
        owned.update(entry.run_id for entry in self.folder.ledger)
        for run in runs:
            late = (moment(run.pending_at) or 0.0) >= began - SLACK
            if late and run.run_id not in owned and fab in (None, run.fab_hash):
                self._write_down(run.run_id, run.fab_hash)
                self.journal.event("run_adopted", f"Run {run.run_id} was submitted unnoticed.", run_id=run.run_id)
        self.memory.submitting = ""
        self.desk.remember(self.memory)

    def _write_down(self, run_id: str, fab_hash: str) -> None:
        request, rounds = self.request, self.num_rounds
        told = request.configuration_hash, fab_hash, rounds, now(), request.request_id, request.code
        self.folder.record(LedgerEntry(run_id, *told))
        self.memory.follow(run_id)
        self.desk.remember(self.memory)


@contextmanager
def undisturbed() -> t.Iterator[None]:
    """Let nobody stop us between Flower's acceptance of a run and our writing it down."""
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
