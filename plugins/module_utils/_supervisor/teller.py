# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a supervisor tells: events to the journal, a line to systemd, and in its memory how the training stands.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress
from dataclasses import replace

from .._base.notation import counted
from .._base.systemd import notify
from .._config.stopping import stopping_text
from .._flower.answers import FlwrError
from .._flower.cli import Flwr
from .._training.progress import pace_text, round_line
from .desk import Desk
from .endings import AGAIN, ENDINGS, FAILED, FINISHED, IDLE, LOG_ERROR, LOG_NOTICE, RESULT_FACTS, STATES, WAIT
from .journal import ROUND_FACTS, Journal
from .memory import Memory
from .verdicts import Verdict
from .watch import Watch

LOG_LINES = 40


class Teller:
    """Tells of one training."""

    def __init__(self, desk: Desk, memory: Memory, flwr: Flwr, journal: Journal) -> None:
        self._desk, self._memory, self._flwr, self._journal = desk, memory, flwr, journal
        self._name = desk.folder.name
        self._superlink_restarts = 0

    def begin(self) -> None:
        """Say that a supervisor is there."""
        self._journal.event("supervision_started", f"The supervisor of {self._name} has started.")

    def ended_before(self) -> None:
        """Say that there is nothing to do any more."""
        self._journal.say(f"{self._name}: {ENDINGS[self._memory.state].words}, already before.", LOG_NOTICE)

    def news(self, watch: Watch) -> None:
        """Tell of what has happened to a run since the last look."""
        memory = self._memory
        new = [event for event in watch.own_rounds if event["round"] > memory.told]
        for event in new:
            facts = {key: event.get(key) for key in ROUND_FACTS}
            self._journal.event("round_finished", round_line(self._name, event), **facts)
            memory.told, memory.fruitless = event["round"], 0
        if watch.superlink_restarts > self._superlink_restarts:
            self._superlink_restarts = watch.superlink_restarts
            text = "The SuperLink has started anew; the run outlives that."
            self._journal.event("superlink_restarted", text, run_id=memory.run_id)
        if new or watch.process_was_found:
            self.remember()

    def state(self, verdict: Verdict, history: t.Sequence[t.Mapping[str, t.Any]] = ()) -> None:
        """Let whoever looks know how it stands; tell the journal when that has changed."""
        memory, state, names = self._memory, STATES[verdict.kind], list(verdict.names)
        if (memory.state, memory.reason, memory.waiting_for) != (state, verdict.reason, names):
            waited = memory.state == STATES[WAIT]
            self._set(state, verdict, names)
            if verdict.kind == WAIT:
                facts = {"reason": verdict.reason, "waiting_for": names, "run_id": memory.run_id or None}
                self._journal.event("waiting", verdict.text, **facts)
            elif verdict.kind == IDLE:
                self._journal.event("session_awaited", verdict.text, sessions=memory.sessions)
            elif waited:
                self._journal.event("waiting_over", "It goes on.", run_id=memory.run_id)
        notify(STATUS=_one_line(verdict.text or pace_text(history)), WATCHDOG=1)

    def lost(self, verdict: Verdict, last_round: int | None) -> None:
        """Tell of a run that is to be replaced."""
        facts = {"run_id": self._memory.run_id, "round": last_round, "restarts": self._memory.restart_count}
        self._journal.event(ENDINGS[AGAIN].event, verdict.text, reason=verdict.reason, **facts)

    def end(self, verdict: Verdict) -> None:
        """Say how it ends, in an event and in the last line of the journal."""
        if verdict.kind == FINISHED:
            verdict = replace(verdict, text=result_text(self._desk.folder.result or {}) or verdict.text)
        self._set(STATES.get(verdict.kind, verdict.kind), verdict, [])
        ending = ENDINGS[verdict.kind]
        text = f"{self._name}: {ending.words}. {verdict.text}"
        if verdict.kind != AGAIN:
            self._journal.event(ending.event, text, **self._facts(verdict))
        self._journal.say(_one_line(text), LOG_ERROR if ending.is_bad else LOG_NOTICE)
        notify(STATUS=_one_line(text), STOPPING=1)

    def remember(self) -> None:
        """Write the memory down; that is a sign of life, too."""
        self._desk.remember(self._memory)
        notify(WATCHDOG=1)

    def _set(self, state: str, verdict: Verdict, names: list[str]) -> None:
        self._memory.stand(state, verdict.reason, verdict.text, names)
        self.remember()

    def _facts(self, verdict: Verdict) -> dict[str, t.Any]:
        """Return what an event about the end of the training says."""
        memory = self._memory
        facts = {"reason": verdict.reason, "run_id": memory.run_id or None, "restarts": memory.restart_count}
        if verdict.kind == FAILED:
            tail: list[str] = []
            with suppress(FlwrError):
                tail = self._flwr.log(memory.run_id, LOG_LINES)
            self._journal.say("\n".join(tail))
            return {**facts, "log_tail": tail}
        if verdict.kind == FINISHED:
            result = self._desk.folder.result or {}
            return {**facts, **{key: result.get(key) for key in RESULT_FACTS}}
        return facts


def result_text(result: t.Mapping[str, t.Any]) -> str:
    """Say what a training has come to."""
    parts = [stopping_text(result) or counted(result["rounds"], "round")] if result.get("rounds") else []
    parts += [f"{key} {result[key]:.4f}" for key in ("loss", "accuracy") if isinstance(result.get(key), (int, float))]
    parts += [str(result["checkpoint"])] if result.get("checkpoint") else []
    return ", ".join(parts)


def _one_line(text: str) -> str:
    return " ".join(text.split())
