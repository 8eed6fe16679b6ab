# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor of one training: submits it, follows the run, and exits with a status that tells systemd what is next.

It runs on the SuperLink host under C(flower-training@NAME). One life of it follows one run: systemd starts it again
when another one is needed. What it sees is in C(watch), what it makes of that in C(verdicts).
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from .._base.systemd import notify
from .._flower.answers import FlwrError, FlwrUnreachableError
from .._flower.assumptions import INVALID_RUN_CONFIG
from .._flower.cli import Flwr
from .._supernode.registry import list_supernodes, named
from .._training.folder import submission_lock
from .._training.runs import RunConflictError, is_met_by_result
from . import endings
from .desk import Desk, recall
from .endings import AGAIN, ENDINGS, FAILED, FINISHED, QUIESCED, STARTING, STOPPED, WAITED_FOR
from .journal import Journal
from .local_host import Clock, LocalHost
from .request import Request
from .serverapps import ends_with_its_process, own_processes
from .sessions import BEGIN, Sessions
from .shared_directories import shared_text, taken_by
from .submission import FOLLOW, Submitter
from .teller import Teller
from .verdicts import BY_OPERATOR, Limits, Verdict, away, give_up, judge, pause, too_few
from .watch import ASK_AWAY, ASK_FOR_NODES, Watch

TICK = 0.5  # seconds between two looks
SERVERAPP_GRACE = 5.0  # seconds that a ServerApp has to end after its run was stopped
ASK_AGAIN = 60.0  # seconds until the next run asks for the directory of the checkpoints; it waits there as well


class Supervisor:
    """Supervises one training until there is nothing more to do, or until systemd is to start it again."""

    def __init__(
        self, desk: Desk, request: Request, flwr: Flwr, host: LocalHost, clock: Clock, journal: Journal
    ) -> None:
        self.desk, self.folder, self.request = desk, desk.folder, request
        self.flwr, self.host, self.clock, self.journal = flwr, host, clock, journal
        self.memory = recall(desk, request)
        self.submitter = Submitter(desk, request, self.memory, flwr, journal)
        self.teller = Teller(desk, self.memory, flwr, journal)
        self.sessions = Sessions(desk, request, self.memory, flwr, journal)
        self.watch: Watch | None = None
        self._paused = False

    def run(self) -> int:
        """Supervise; return the exit status."""
        self.teller.begin()
        if self.memory.state in (FAILED, FINISHED) and not self.desk.is_stopped:
            # It does not begin again at the next boot.
            self.teller.ended_before()
            return ENDINGS[self.memory.state].status
        if self.memory.state == QUIESCED and not self.desk.is_stopped:
            if self.desk.quiesce:
                self.teller.ended_before()
                return ENDINGS[QUIESCED].status
            self.memory.state = STARTING
        self.teller.remember()
        verdict = self._resume_end()
        if self.desk.is_stopped:
            verdict = self._stay_stopped()
        while verdict is None:
            try:
                verdict = self._begin() or self._after(self._follow())
            except RunConflictError as error:
                verdict = Verdict.of(endings.CONFLICT, str(error))
            except FlwrUnreachableError as error:
                verdict = self._idle(away(str(error)), ASK_AWAY)
            except FlwrError as error:
                verdict = self._refused(error)
        return self._end(verdict)

    # --- Before a run ---

    def _begin(self) -> Verdict | None:
        """Have a run to follow; return a verdict when there is none to follow."""
        waited = False
        # It may refuse the very questions below.
        if self.memory.reason == endings.FLOWER_REFUSED.word and (verdict := self._pause()):
            return verdict
        while True:
            with submission_lock(self.flwr.home), self.folder.lock():
                decision = self.submitter.decide()
                if decision.action == "finished":
                    self.memory.run_id = decision.run.run_id if decision.run else self.memory.run_id
                    if verdict := self._completed(Verdict.of(endings.COMPLETED, "Its run was completed before.")):
                        return verdict
                    waited = False  # for the next session
                    continue
                if decision.action in (FOLLOW, "adopt"):
                    self.submitter.adopt(decision.run.run_id if decision.run else self.memory.run_id)
                    return None
                if verdict := give_up(self.memory.fruitless, self.request.attempts):
                    return verdict
                if self.desk.quiesce:
                    return QUIESCED_NOW
                if others := taken_by(self.folder, self.request.run_config):
                    return Verdict.of(endings.DIRECTORY_SHARED, shared_text(others))
                if waited or not self._has_to_wait():
                    self.submitter.submit(decision)
                    return None
            if verdict := self._wait():
                return verdict
            waited = True

    @property
    def _lacked(self) -> str:
        """Return what the last run lacked that is to be waited for."""
        reason = self.memory.restarts[-1]["reason"] if self.memory.restarts else ""
        return reason if reason in WAITED_FOR else ""

    def _has_to_wait(self) -> bool:
        paused = self._paused or not pause(self.memory.fruitless)
        return self.sessions.between or bool(self._lacked) or not paused

    def _pause(self) -> Verdict | None:
        """Wait once in this life, the longer the more runs have done nothing."""
        seconds = 0.0 if self._paused else pause(self.memory.fruitless)
        self._paused = True
        verdict = Verdict.of(endings.PAUSE, fruitless=self.memory.fruitless, seconds=seconds)
        return self._idle(verdict, seconds) if seconds else None

    def _wait(self) -> Verdict | None:
        """Wait after runs that have done nothing, for SuperNodes when they were what was missing, for a session."""
        if verdict := self._pause():
            return verdict
        if self.sessions.between:
            return self._wait_for_session()
        if self._lacked == endings.DIRECTORY_WAS_BUSY.word:
            return self._idle(Verdict.of(endings.DIRECTORY_BUSY), ASK_AGAIN)
        while self._lacked == endings.TOO_FEW_NODES.word:
            nodes = list_supernodes(self.flwr)
            online, missing = named(nodes, online=True), named(nodes, online=False)
            if len(online) >= self.request.needed_nodes:
                break
            if verdict := self._idle(too_few(len(online), self.request.needed_nodes, missing), ASK_FOR_NODES):
                return verdict
        return None

    def _wait_for_session(self) -> Verdict | None:
        """Rest until another session of a continuous training has begun."""
        while (step := self.sessions.step()).kind != BEGIN:
            if verdict := self._idle(step, ASK_FOR_NODES):
                return verdict
        return None

    def _refused(self, error: FlwrError) -> Verdict:
        """Judge that Flower has refused something: for good, or for now."""
        if error.code == INVALID_RUN_CONFIG:
            return Verdict.of(endings.RUN_CONFIG, str(error))
        memory = self.memory
        memory.count_fruitless(False)
        self.journal.event(endings.FLOWER_REFUSED.event, str(error), code=error.code)
        if verdict := give_up(memory.fruitless, self.request.attempts):
            return replace(verdict, text=f"{verdict.text} The last one: {error}")
        return Verdict.of(endings.FLOWER_REFUSED, str(error))

    # --- During a run ---

    def _follow(self) -> Verdict:
        """Watch the run until it is over."""
        request, memory = self.request, self.memory
        limits = Limits(request.stall_floor, request.first_round, request.needed_nodes, request.reports)
        self.watch = Watch(self.flwr, self.host, self.folder, request, memory, self.clock, self._intend_to_stop)
        while True:
            order = self.desk.quiesce
            verdict = judge(self.watch.sighting(self.desk.is_stopped, order.left if order else None), limits)
            self.teller.news(self.watch)
            if verdict.ends:
                return verdict
            self.teller.state(verdict, self.watch.history)
            self.clock.sleep(TICK)

    def _intend_to_stop(self) -> None:
        """Remember that it is us who stop the run: one that anybody else has stopped is to stay so."""
        self._remember_ending(Verdict.of(endings.SERVERAPP_GONE))

    def _idle(self, verdict: Verdict, seconds: float, heeds: bool = True) -> Verdict | None:
        """Wait without a run; return a verdict when an order is given meanwhile that is to be heeded."""
        self.teller.state(verdict)
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            if heeds and self.desk.is_stopped:
                return BY_OPERATOR
            if heeds and self.desk.quiesce:
                return QUIESCED_NOW
            self.clock.sleep(TICK)
            notify(WATCHDOG=1)
        return None

    # --- After a run ---

    def _remember_ending(self, verdict: Verdict) -> None:
        """Remember how the run ends that is about to be stopped."""
        self.memory.ending = {"kind": verdict.kind, "reason": verdict.reason, "text": verdict.text}
        self.teller.remember()

    def _resume_end(self) -> Verdict | None:
        """Go on with the end of a run in the middle of which the last supervisor died."""
        ending = self.memory.ending
        return self._after(Verdict(ending["kind"], ending["reason"], ending["text"])) if ending else None

    def _stay_stopped(self) -> Verdict:
        """End by the order of an operator, and leave no run behind that somebody could still take up."""
        memory = self.memory
        return (self._after(BY_OPERATOR) if memory.runs and memory.run_id != memory.ended else None) or BY_OPERATOR

    def _after(self, verdict: Verdict) -> Verdict | None:
        """Clear a run away that is over; return None when the next one is to begin in this life."""
        memory = self.memory
        if verdict.kind == FAILED and self.request.retry_failed:
            verdict = Verdict.of(endings.RETRIED, verdict.text)
        self._remember_ending(verdict)
        if verdict.kind != FINISHED:
            self._clear_away()
        memory.end_run()
        memory.learn(self.folder.effective, (memory.run_id,))
        if verdict.kind == AGAIN:
            self._count(verdict)
        self.teller.remember()
        if verdict.kind == FINISHED:
            return self._completed(verdict) if self._is_enough() else None
        if verdict.kind == QUIESCED and not self.desk.quiesce:
            # Resumed in the meantime: it goes on at once, but not for ever when an app merely says so.
            memory.count_fruitless(bool(self._own_rounds))
            return None
        return verdict

    def _completed(self, verdict: Verdict) -> Verdict | None:
        """Let a training end that has all its rounds; of a continuous one, a session has ended."""
        if not self.request.continuous:
            return verdict
        self.sessions.finish()
        return None

    def _count(self, verdict: Verdict) -> None:
        """Remember that another run is needed, and why."""
        memory = self.memory
        rounds = self._own_rounds
        last = rounds[-1] if rounds else None
        if verdict.reason not in WAITED_FOR:
            memory.count_fruitless(bool(rounds) or self._has_replies())
        memory.restarted(verdict.reason, verdict.text, last)
        self.teller.lost(verdict, last)

    @property
    def _own_rounds(self) -> list[int]:
        """Return the rounds that the last run has finished."""
        return [event["round"] for event in self.folder.history if event.get("run_id") == self.memory.run_id]

    def _has_replies(self) -> bool:
        """Tell whether the last run has got replies: an app that tells of no rounds may have had some."""
        if self.request.reports:
            return False
        with suppress(FlwrError):
            return any(run.run_id == self.memory.run_id and run.replied for run in self.flwr.runs())
        return False

    def _is_enough(self) -> bool:
        """Tell whether what was trained is all that is asked for: a run that was adopted may have been shorter."""
        result, wanted = self.folder.result or {}, self.request.wanted(self.submitter.num_rounds)
        ledger = self.folder.ledger
        if result.get("run_id") == self.memory.run_id:
            return is_met_by_result(ledger, result, wanted)
        entry = next((run for run in ledger if run.run_id == self.memory.run_id), None)
        return entry is None or wanted.is_met(entry.configuration_hash, entry.num_rounds, entry.code)

    def _clear_away(self) -> None:
        """Leave nothing of a run behind that could train or save beside the next one."""
        if self.watch is None or not self.watch.is_over:
            self._stop_run()
        table, known = self.host.processes, own_processes(self.folder, self.memory)
        end = self.clock.monotonic() + SERVERAPP_GRACE
        while any(map(table.lives, known)) and self.clock.monotonic() < end:
            self.clock.sleep(TICK)
        if len(known) == 1:  # of several, one may be another training's
            table.kill(known[0])

    def _stop_run(self) -> None:
        """Have Flower stop the run. Where it cannot be told, the end of the run's process ends the run."""
        run_id = self.memory.run_id
        with suppress(FlwrError):
            while True:
                try:
                    self.flwr.stop(run_id)
                    return
                except FlwrUnreachableError as error:
                    if ends_with_its_process(self.folder, self.memory, self.host.processes):
                        return
                    # Nobody trains it yet, as far as is known: it would be taken up when the SuperLink is back.
                    self._idle(away(f"Run {run_id} is to be stopped. {error}"), ASK_AWAY, heeds=False)

    def _end(self, verdict: Verdict) -> int:
        if verdict.kind == STOPPED:
            self.desk.stop()
        self.teller.end(verdict)
        return ENDINGS[verdict.kind].status


QUIESCED_NOW = Verdict.of(endings.ALL_QUIESCED, what="")
