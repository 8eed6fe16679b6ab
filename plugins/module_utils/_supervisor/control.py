# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having a training supervised: the program and its unit on the host, the request, and the order to start or stop.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import secrets
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass, replace

from .._base.guarded import write_bytes
from .._base.layout import SYSTEMD, TRAINING_UNIT, file
from .._base.sent import SentFile
from .._base.systemd import SystemdError, Unit, control, show_units
from .._flower.answers import FlwrError
from .._flower.assumptions import RUN_COMPLETED
from .._flower.cli import Flwr
from .._flower.processes import ProcessTable
from .._training.folder import TrainingFolder
from .._training.runs import ABSENT, Known, decide, is_met_by_result, known_runs, that_finished
from .desk import Desk, unit_name
from .endings import ENDED, FINISHED, STOPPED
from .memory import Memory
from .request import Request, same
from .serverapps import ends_with_its_process, own_processes
from .verdicts import BY_OPERATOR

UNIT_FOLDER = SYSTEMD
PROGRAM = file("", "supervisor")  # below the home
TEMPLATE = f"{TRAINING_UNIT}.service"
STOP_PATIENCE = 20.0  # seconds that a supervisor has to stop its run and say so


@dataclass(frozen=True)
class Plan:
    """What there is to do for a training, before it is done."""

    action: str  # finished, follow or start
    run: Known
    changes: tuple[str, ...] = ()  # what differs on the host

    @property
    def changed(self) -> bool:
        return self.action == "start" or bool(self.changes)


@dataclass(frozen=True)
class Stop:
    """What it has come to that a training was stopped."""

    runs: tuple[str, ...]  # that were alive
    changed: bool
    left: str = ""  # what Flower could not be told, and what to do about that


class SupervisorFiles:
    """The supervisor's program and the template of its units. Both belong to root: user code cannot change them."""

    def __init__(self, home: str, digest: str, unit: str) -> None:
        self.program, self.template = SentFile(file(home, "supervisor"), digest), os.path.join(UNIT_FOLDER, TEMPLATE)
        self.unit = unit

    def differences(self) -> tuple[str, ...]:
        """Return what is not as it is to be."""
        unit = _content(self.template) != self.unit.encode()
        return tuple(name for name, differs in (("program", not self.program.is_in_place), ("unit", unit)) if differs)

    def install(self, differences: t.Iterable[str], archive: str | None) -> None:
        """Put in place what differs."""
        if "program" in differences:
            folder = os.path.dirname(self.program.path)
            os.makedirs(folder, 0o755, exist_ok=True)
            os.chmod(folder, 0o755)  # whatever root's umask is
            replace(self.program, archive=archive).write()
        if "unit" in differences:
            write_bytes(self.template, self.unit.encode(), 0o644)
            control("daemon-reload")


class Supervising:
    """Brings one training to what is asked for."""

    def __init__(self, flwr: Flwr, folder: TrainingFolder) -> None:
        self.flwr, self.folder, self.desk = flwr, folder, Desk(folder)
        self.name = unit_name(folder.name)

    @property
    def unit(self) -> Unit:
        return show_units(self.name)[0]

    def plan(self, request: Request, installation: SupervisorFiles) -> Plan:
        """Decide what there is to do."""
        known = known_runs(self.folder, [])
        ends = not request.continuous and not request.force
        if ends and (run := self._finished(known, request)):
            return Plan("finished", run)
        if order := self.desk.quiesce:
            order.refuse()
        known = known_runs(self.folder, self.flwr.runs() if known else [])
        latest = known[-1] if known else Known("", ABSENT)
        if not request.force and self._is_at_it(request, latest):
            return Plan("follow", latest, installation.differences())
        decision = decide(known, self.folder.result, request.wanted(request.num_rounds), request.force)
        if ends and decision.action == "finished" and decision.run:
            return Plan("finished", decision.run)
        return Plan("start", latest, installation.differences())

    def start(self, request: Request) -> Request:
        """Write down what is asked for and have the supervisor begin with it, now and at the next boot."""
        request = replace(request, request_id=secrets.token_hex(8))
        if self.unit.lives:
            control("stop", self.name)  # its run goes on; what it would still write concerns the older request
        self.desk.ask(request)
        with suppress(SystemdError):
            control("reset-failed", self.name)  # which also forgets how often it was started lately
        control("enable", "--quiet", self.name)
        control("start", self.name)
        return request

    def restart(self) -> None:
        """Replace a supervisor that runs by one of the program that is there now; its run goes on."""
        control("restart", self.name)

    def stop(self, check_mode: bool = False) -> Stop:
        """Stop the training, even if the SuperLink cannot be told: nobody submits another run then."""
        before, unit, marks = self.desk.memory or Memory(), self.unit, self.goes_on
        waits = bool(self.desk.is_stopped and self.desk.left and unit.lives)  # only to stop the run that was left
        acted = marks or (unit.lives and not waits)
        if not check_mode:
            self._hold(marks, unit.load == "loaded" and not waits)
        run_id = (self.desk.memory or before).run_id
        under_way = run_id if run_id != before.ended else ""
        stopped, alive, problem = self._stop_runs(under_way if acted else "", check_mode)
        if problem and not acted and not self.desk.is_stopped:
            raise problem
        if not check_mode:
            self._remember_stop(under_way if problem else "", marks)
            if not problem:
                self._leave_nothing()
        left = f"{problem} {self._left(under_way, before, check_mode)}".rstrip() if problem else ""
        return Stop((*stopped, *alive), bool(alive) or acted, left)

    def release(self) -> None:
        """Have systemd start no supervisor of it any more; none runs."""
        if self.unit.load == "loaded":
            with suppress(SystemdError):
                control("disable", "--quiet", self.name)
            with suppress(SystemdError):
                control("reset-failed", self.name)

    def _hold(self, marks: bool, ends: bool) -> None:
        """Keep a supervisor from submitting anything, and end the one that is there."""
        # The marker first: whatever starts the supervisor from now on, it ends at once.
        if marks:
            self.desk.stop()
        if ends:
            self._end_supervisor()

    def _stop_runs(self, under_way: str, check_mode: bool) -> tuple[list[str], list[str], FlwrError | None]:
        """Stop what is alive of the training.

        Return the run under way if its supervisor has stopped it on its way out, those that were alive, and what Flower
        has said instead of doing so.
        """
        stopped: list[str] = []
        alive: list[str] = []
        try:
            known = known_runs(self.folder, self.flwr.runs())
            alive = [run.run_id for run in known if run.alive]
            stopped = [run.run_id for run in known if run.run_id == under_way and run.status == STOPPED]
            for run_id in alive if not check_mode else ():
                self.flwr.stop(run_id)
        except FlwrError as error:
            return [], alive, error
        return stopped, alive, None

    def _leave_nothing(self) -> None:
        """Have nobody wait any more to stop a run: there is none."""
        if self.desk.left:
            self.desk.leave("")
            self._end_supervisor()

    def _left(self, run_id: str, before: Memory, check_mode: bool) -> str:
        """Say what becomes of a run that the SuperLink could not be told to stop, and have it stopped later."""
        again = "Stop the training again (playbook fedops.flower.stop) as soon as the SuperLink answers."
        if not run_id:
            return f"A run that was just being submitted may have arrived. {again}" if before.submitting else ""
        if ends_with_its_process(self.folder, self.desk.memory or before, ProcessTable()):
            return f"The ServerApp of run {run_id} is ended; the SuperLink gives the run up when it is back."
        if not check_mode and self._has_it_stopped_later(run_id):
            return f"Run {run_id} is stopped as soon as the SuperLink answers: {self.name} waits for that."
        return f"Run {run_id} could not be stopped: the SuperLink may have it trained when it is back. {again}"

    def _has_it_stopped_later(self, run_id: str) -> bool:
        """Have the supervisor's unit wait for the SuperLink, also after a reboot; tell whether it does."""
        if self.desk.request is None:
            return False
        self.desk.leave(run_id)
        with suppress(SystemdError):
            control("reset-failed", self.name)
        try:
            control("enable", "--quiet", self.name)
            control("start", self.name)
        except SystemdError:
            return False
        return self.unit.runs  # a unit of an older release does not start for a training that is stopped

    def _is_at_it(self, request: Request, latest: Known) -> bool:
        """Tell whether the supervisor does what is asked for, and will go on with it."""
        if not same(self.desk.request, request) or not self.unit.runs or self.desk.is_stopped:
            return False
        # A run that somebody has stopped by hand: the supervisor has not seen it yet, and is about to end.
        return latest.status != STOPPED or (self.desk.memory or Memory()).ended == latest.run_id

    @property
    def goes_on(self) -> bool:
        """Tell whether there is a supervised training that would go on without an order to stop."""
        return self.desk.request is not None and not self.desk.is_stopped and not self._has_ended()

    def _end_supervisor(self) -> None:
        """Have the supervisor end by itself, so that it says why; then make sure of it."""
        control("disable", "--quiet", self.name)
        deadline = time.monotonic() + STOP_PATIENCE
        while self.desk.is_stopped and self.unit.lives and time.monotonic() < deadline:
            time.sleep(0.5)
        control("stop", self.name)

    def _remember_stop(self, lives: str, marks: bool) -> None:
        """Say for the supervisor, which is no more, how things stand, and which run may live on."""
        memory = self.desk.memory or Memory()
        own = own_processes(self.folder, memory) if lives else []
        if len(own) == 1:  # of several, one may be another training's
            ProcessTable().kill(own[0])  # its supervisor may have waited for the SuperLink instead
        ended = "" if lives == memory.run_id else memory.run_id
        if marks and memory.state != STOPPED:
            memory.stand(BY_OPERATOR.kind, BY_OPERATOR.reason, BY_OPERATOR.text)
            memory.ending = {}
        elif memory.state != STOPPED or memory.ended == ended:
            return
        memory.ended = ended  # a run that may live on is asked for, and followed, when the training is trained again
        self.desk.remember(memory)

    def _has_ended(self) -> bool:
        memory, request = self.desk.memory, self.desk.request
        same_request = memory is not None and request is not None and memory.request_id == request.request_id
        return bool(same_request and memory and memory.state in ENDED and memory.state != STOPPED)

    def _finished(self, known: t.Sequence[Known], request: Request) -> Known | None:
        """Return the run that has brought the training to the end that is asked for, without asking Flower."""
        result, wanted = self.folder.result, request.wanted(request.num_rounds)
        if is_met_by_result(known, result, wanted):
            return that_finished(known, result)
        # An app that leaves no result: its supervisor has seen the end.
        memory, had = self.desk.memory, self.desk.request
        if result or memory is None or had is None or memory.state != FINISHED or not known:
            return None
        enough = wanted.is_met(had.configuration_hash, had.num_rounds, had.code)
        return replace(known[-1], status=RUN_COMPLETED) if enough and memory.request_id == had.request_id else None


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
