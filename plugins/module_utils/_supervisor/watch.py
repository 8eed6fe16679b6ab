# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching one run: files and processes are looked at all the time, Flower is asked only when that tells something new.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._base.systemd import Unit
from .._flower.answers import FlwrError, Run
from .._flower.assumptions import ALIVE, RUN_PENDING, RUN_RUNNING, RUN_STARTING
from .._flower.cli import Flwr
from .._flower.processes import moment
from .._supernode.registry import list_supernodes, named
from .._training.folder import TrainingFolder
from .._training.runs import LOST, UNREACHABLE
from .local_host import Clock, LocalHost
from .memory import Memory
from .request import Request
from .serverapps import Finder, known_processes
from .verdicts import GONE, LIVING, UNKNOWN, Sighting

ASK_A_YOUNG_RUN = 3.0  # seconds between questions to Flower: until the ServerApp's process is known
ASK_AWAY = 3.0  # while the SuperLink does not answer
_ASK_AT_THE_END = 1.5  # after the last round
ASK_BLINDLY = 10.0  # when no process is known to be the run's
ASK_A_WELL_RUN = 60.0  # its process lives, its rounds are seen in files
NO_PROCESS = 5.0  # seconds that a run may be under way without any ServerApp on the host

LOOK_AT_THE_SUPERLINK = 5.0  # its unit, which costs next to nothing
_QUIET, _QUIET_FACTOR = 30.0, 1.5  # without a round for so many seconds, and so many times the usual: count SuperNodes
ASK_FOR_NODES = 30.0
AFTER_THE_SUPERLINK = 300.0  # seconds in which an app without the kit may still fail because the SuperLink was away


class Watch:
    """What is seen of the run that the memory names. The memory learns which processes are the run's."""

    def __init__(
        self,
        flwr: Flwr,
        host: LocalHost,
        folder: TrainingFolder,
        request: Request,
        memory: Memory,
        clock: Clock,
        before_stop: t.Callable[[], None] = lambda: None,
    ) -> None:
        self._flwr, self._host, self._folder = flwr, host, folder
        self._request, self._memory, self._clock = request, memory, clock
        self._before_stop = before_stop
        self._started = self._progress = clock.monotonic()
        self._finder = Finder(folder, memory, host.processes, self._would_show_all, self._started)
        self._pending_since: float | None = None
        self._asked: float | None = None
        self._starting_at: float | None = None
        self._word, self._details = RUN_PENDING, ""
        self._alone_since: float | None = None  # since when no ServerApp is on the host
        self._kills: int | None = None
        self._memory_counts = ""  # of the ServerApp's control group
        self._count_memory_kills()
        self.was_stopped = False  # by us, because its ServerApp was gone
        self._settled = False  # what the end of the process means is known
        self._history_stamp: t.Any = None
        self._history: list[dict[str, t.Any]] = []
        self._nodes_asked: float | None = None
        self._superlink: Unit | None = None
        self._superlink_seen = self._started
        self.superlink_restarts = 0
        self._superlink_away: float | None = None  # when that was last seen
        self._counts: tuple[t.Any, ...] | None = None  # of the run's messages, as Flower has them
        self._replied: bool | None = None
        self._reply_at = self._started
        self._waits: tuple[float, ...] = ()  # seconds until replies came
        self.process_was_found = False  # by the last look
        self._online: int | None = None
        self._missing: tuple[str, ...] = ()

    @property
    def history(self) -> list[dict[str, t.Any]]:
        """Return the rounds that lead to the newest model."""
        return self._history

    @property
    def own_rounds(self) -> list[dict[str, t.Any]]:
        """Return the rounds of this run."""
        return [event for event in self._history if event.get("run_id") == self._memory.run_id]

    def sighting(self, stop_asked: bool, quiesce: float | None = None) -> Sighting:
        """Look once."""
        at = self._clock.monotonic()
        self.process_was_found = False
        rounds_before = len(self.own_rounds)
        self._read_history()
        if len(self.own_rounds) > rounds_before:
            self._progress, self._online, self._missing, self._nodes_asked = at, None, (), None
        process = self._process(at)
        self._look_at_the_superlink(at)
        if not stop_asked and self._is_due(process, at):
            if process == GONE:
                self._settle()
            else:
                self._ask()
            process = self._process(self._clock.monotonic())
        rounds = self._seconds()
        if self._word == RUN_RUNNING and at - self._progress > max(
            _QUIET, _QUIET_FACTOR * max(rounds[-5:], default=0.0)
        ):
            self._count_nodes(at)
        waiting = self._waiting()
        if (
            waiting
            or self._word == UNREACHABLE
            or (self._online is not None and self._online < self._request.needed_nodes)
        ):
            self._progress = at  # such time is not the round's
        unit = self._host.executor() if process == GONE or self._is_stuck(at) else None
        return Sighting(
            word=self._word,
            details=self._details,
            process=process,
            executor=unit.state if unit else "active",
            executor_changed=bool(unit and self._is_other(unit)),
            killed_for_memory=process == GONE and self._was_killed(),
            stop_asked=stop_asked,
            quiesce=quiesce,
            has_result=self._has_result(),
            failure=self._failure(),
            pending=at - self._pending_since if self._pending_since is not None else 0.0,
            quiet=at - self._progress,
            rounds=rounds if self._request.reports else self._waits,
            replied=self._replied,
            superlink_was_away=self._superlink_away is not None and at - self._superlink_away < AFTER_THE_SUPERLINK,
            fruitless=self._memory.fruitless,
            rejoining=tuple(waiting.get("sites", ())),
            waits_in=waiting.get("round", 0),
            online=self._online,
            missing=self._missing,
        )

    @property
    def is_over(self) -> bool:
        """Tell whether Flower itself says that the run has ended."""
        return self.was_stopped or self._word not in (*ALIVE, UNREACHABLE)

    def _is_due(self, process: str, at: float) -> bool:
        """Tell whether Flower has to be asked: it is a process of a second or two each time."""
        if self._asked is None:
            return True
        waited = at - self._asked
        if self._word == UNREACHABLE:
            return waited >= ASK_AWAY
        if process == GONE:
            return not self._settled
        if self._has_result() or self._failure():
            return waited >= _ASK_AT_THE_END
        if process == LIVING:
            return waited >= ASK_A_WELL_RUN
        young = self._word != RUN_RUNNING or at - self._started < ASK_BLINDLY
        return waited >= (ASK_A_YOUNG_RUN if young else ASK_BLINDLY)

    def _look_at_the_superlink(self, at: float) -> None:
        """See soon that the SuperLink is away or another one: then Flower is to be asked."""
        if self._superlink is not None and at - self._superlink_seen < LOOK_AT_THE_SUPERLINK:
            return
        before, self._superlink, self._superlink_seen = self._superlink, self._host.superlink(), at
        if before is None or before.load != "loaded" or self._superlink.load != "loaded":
            return
        if self._superlink.pid != before.pid:
            self._superlink_away = at
            self.superlink_restarts += bool(self._superlink.pid and before.pid)
            if self._word != UNREACHABLE:
                self._asked = None
        # While it is down, the process to come is to be compared with the one that was there.
        self._superlink = replace(self._superlink, pid=self._superlink.pid or before.pid)

    def _settle(self) -> None:
        """Find out whether a run without a process is over. One that is not is stopped by the very question.

        A ServerApp that ended by itself, or that its SuperExec took along, has said so to Flower.
        """
        if not self._finder.is_told and self._word != RUN_RUNNING:
            self._ask()  # it may have lost the run to another ServerApp, since it took too long to begin
            if self._word == UNREACHABLE or self._process(self._clock.monotonic()) != GONE:
                return
        if not self._has_result() and not self._failure() and not self._is_other(self._host.executor()):
            self._before_stop()
            try:
                self.was_stopped = self._flwr.stop(self._memory.run_id)
            except FlwrError as error:
                self._away(error)
                return
        if not self.was_stopped:
            self._ask()
        elif self._word == UNREACHABLE:
            self._word = RUN_RUNNING
        self._settled = self._word != UNREACHABLE

    def _away(self, error: FlwrError) -> None:
        self._superlink_away = self._clock.monotonic()
        self._word, self._details, self._asked = UNREACHABLE, str(error), self._clock.monotonic()

    def _ask(self) -> None:
        """Ask Flower for the run."""
        try:
            runs = self._flwr.runs()
        except FlwrError as error:
            self._away(error)
            return
        self._asked = self._clock.monotonic()
        run = next((run for run in runs if run.run_id == self._memory.run_id), None)
        self._word, self._details = (run.status, run.details or "") if run else (LOST, "")
        self._starting_at = moment(run.starting_at) if run else None
        if run:
            self._count_messages(run, self._asked)
        if self._word in (RUN_PENDING, RUN_STARTING, RUN_RUNNING) and self._finder.forget_forerunner(self._starting_at):
            self._alone_since = None
        if self._word == RUN_PENDING:
            self._pending_since = self._asked if self._pending_since is None else self._pending_since
        else:
            self._pending_since = None

    def _count_messages(self, run: Run, at: float) -> None:
        """See that messages come and go, of an app that tells of no rounds."""
        if self._request.reports or run.replied is None:
            return
        counts = (run.traffic, run.client_seconds)
        before = self._counts or counts  # of a run that was adopted, nobody knows how long the first one took
        if counts != before:
            self._progress = at
        if counts[1] != before[1]:
            self._waits, self._reply_at = (*self._waits, at - self._reply_at), at
        self._counts, self._replied = counts, run.replied

    def _process(self, at: float) -> str:
        """Say whether the run's ServerApp lives, and find out which process it is."""
        known = known_processes(self._memory)
        if not known and self._word not in (RUN_STARTING, RUN_RUNNING):
            return UNKNOWN
        if self._finder.find(at, self._starting_at):
            if not known:
                self._memory.executor_pid = self._host.executor().pid
            self.process_was_found = True
            self._count_memory_kills()
        if known := known_processes(self._memory):
            lives = any(map(self._host.processes.lives, known))
            # Of several that fit, one that lives may be another training's.
            return GONE if not lives else LIVING if len(known) == 1 else UNKNOWN
        # Not one ServerApp on the host, and that for a while: ours is not there either.
        self._alone_since = None if self._finder.every else self._alone_since or at
        if self._alone_since is None or at - self._alone_since < NO_PROCESS:
            return UNKNOWN
        return GONE if self._would_show_all() else UNKNOWN

    def _would_show_all(self) -> bool:
        return self._host.would_show_serverapps(self._host.executor())

    def _is_other(self, unit: Unit) -> bool:
        """Tell whether the SuperExec is not the one any more that started the ServerApp."""
        return unit.load == "loaded" and self._memory.executor_pid not in (0, unit.pid)

    def _count_memory_kills(self) -> None:
        """See what the kernel has killed beside the ServerApp before, while it lives: its control group tells."""
        counts = (self._host.memory_counts(process) for process in known_processes(self._memory))
        self._memory_counts = next(filter(None, counts), "")
        self._kills = self._host.memory_kills(self._memory_counts)

    def _was_killed(self) -> bool:
        now = self._host.memory_kills(self._memory_counts)
        return now is not None and self._kills is not None and now > self._kills

    def _is_stuck(self, at: float) -> bool:
        return self._pending_since is not None and at - self._pending_since > ASK_A_YOUNG_RUN

    def _count_nodes(self, at: float) -> None:
        if self._nodes_asked is not None and at - self._nodes_asked < ASK_FOR_NODES:
            return
        self._nodes_asked = at
        try:
            nodes = list_supernodes(self._flwr)
        except FlwrError:
            return
        self._online = len(named(nodes, online=True))
        self._missing = named(nodes, online=False)

    def _read_history(self) -> None:
        stamp = self._folder.history_stamp
        if stamp is None:
            self._history = []
        elif stamp != self._history_stamp:
            self._history, self._history_stamp = self._folder.history, stamp

    def _seconds(self) -> tuple[float, ...]:
        hash_ = self._request.configuration_hash
        return tuple(
            float(event["seconds"])
            for event in self._history
            if isinstance(event.get("seconds"), (int, float)) and hash_ in (None, event.get("configuration_hash"))
        )

    def _has_result(self) -> bool:
        return bool(self._own(self._folder.result))

    def _waiting(self) -> dict[str, t.Any]:
        """Return for whom a round of this run waits."""
        return self._own(self._folder.waiting)

    def _failure(self) -> dict[str, t.Any]:
        """Return what the ServerApp says of the end of this run, should it have failed."""
        return self._own(self._folder.failure)

    def _own(self, claim: dict[str, t.Any] | None) -> dict[str, t.Any]:
        """Return what is told of this run, and nothing where it is of another one."""
        return claim if claim and claim.get("run_id") == self._memory.run_id else {}
