# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor of a training remembers when it starts again.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .endings import STARTING

KEPT_RESTARTS = 50


@dataclass
class Memory:
    """What a supervisor knows when it starts again. C(state) and C(detail) are for whoever looks at the training."""

    request_id: str = ""
    state: str = STARTING
    reason: str = ""
    detail: str = ""
    since: str = ""
    waiting_for: list[str] = field(default_factory=list)
    run_id: str = ""  # the run that is followed, or was the last one
    ended: str = ""  # the run that has ended for sure, so that nobody has to be asked
    ending: dict[str, t.Any] = field(default_factory=dict)  # the verdict on a run that is being stopped
    submitting: str = ""  # when a submission began whose answer has not arrived
    runs: int = 0  # taken up for this request
    began: bool = False  # one of them has begun, so that the next goes on where it was
    processes: list[list[int]] = field(default_factory=list)  # of the ServerApp: number and beginning
    executor_pid: int = 0
    told: int = 0  # the last round that was told of
    fruitless: int = 0
    sessions: int = 0  # that are finished, of a continuous training
    target: int = 0  # rounds of the training at the end of the session; 0: there is none
    session_ended: float = 0.0
    online: list[str] = field(default_factory=list)  # who was online at the last look between two sessions
    newcomers: list[str] = field(default_factory=list)  # who has come since
    restart_count: int = 0
    restarts: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def signature(self) -> str:
        """Return what changes whenever there is news, but for finished rounds."""
        words = (self.request_id, self.state, self.reason, self.run_id, self.restart_count, *self.waiting_for)
        return " ".join(map(str, words))

    def restarted(self, reason: str, detail: str, last_round: int | None) -> None:
        """Remember why another run is needed."""
        entry = {"time": now(), "reason": reason, "detail": detail, "run_id": self.run_id, "round": last_round}
        self.restarts = [*self.restarts, entry][-KEPT_RESTARTS:]
        self.restart_count += 1

    def stand(self, state: str, reason: str, detail: str, waiting_for: t.Iterable[str] = ()) -> None:
        """Remember how the training stands from now on."""
        self.state, self.reason, self.detail = state, reason, detail
        self.since, self.waiting_for = now(), list(waiting_for)

    def follow(self, run_id: str) -> None:
        """Take a run up."""
        if self.run_id != run_id:
            self.processes, self.executor_pid, self.told = [], 0, 0
        self.run_id, self.ended, self.submitting = run_id, "", ""
        self.runs += 1

    def end_run(self) -> None:
        """Remember that the run has ended for sure, and is cleared away."""
        self.ended, self.ending = self.run_id, {}

    def end_session(self) -> None:
        """Remember that the session of the run is over, and a run with it."""
        self.ended, self.target, self.newcomers = self.run_id, 0, []
        self.sessions, self.session_ended = self.sessions + 1, time.time()

    def learn(self, effective: t.Mapping[str, t.Any] | None, runs: t.Container[str]) -> None:
        """Learn from what the latest ServerApp says it used whether one of these runs has begun."""
        self.began = self.began or (effective or {}).get("run_id") in runs

    def count_fruitless(self, bore_fruit: bool) -> None:
        """Count the runs in a row that have finished no round."""
        self.fruitless = 0 if bore_fruit else self.fruitless + 1


def now(precision: str = "seconds") -> str:
    return datetime.now(timezone.utc).isoformat(timespec=precision)
