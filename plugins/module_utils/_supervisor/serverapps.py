# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the ServerApps on this host is the one of a run.

The app of the collection writes its process down, which is a claim: it counts unless a supervisor knows the process as
another training's. Any other is known by when it began, which may fit several: what another training knows to be its
own is left out, and while more than one remains, none is taken for the run's.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t

from .._flower.assumptions import BEGINS_BEFORE
from .._flower.processes import Process, ProcessTable, of_run
from .._training.folder import TrainingFolder
from .._training.follow import other_trainings
from .desk import Desk
from .memory import Memory

YOUNG = 10.0  # seconds in which another process may still turn up that fits as well
DOUBT = 3.0  # seconds between two looks at what other trainings know, while nobody has told which process it is


def known_processes(memory: Memory) -> list[Process]:
    """Return what may be the ServerApp of the run: when there is more than one, it is not known which."""
    return [Process(pid, ticks) for pid, ticks in memory.processes]


def told_process(folder: TrainingFolder, run_id: str) -> Process | None:
    """Return the process that the ServerApp of a run says it is, once it has."""
    effective = folder.effective or {}
    process = effective.get("process") if run_id and effective.get("run_id") == run_id else None
    told = Process(process["pid"], process["ticks"]) if process else None
    return told if told is not None and told not in _remembered_elsewhere(folder) else None


def _remembered_elsewhere(folder: TrainingFolder) -> set[Process]:
    """Return the processes that the supervisors of other trainings know to be theirs."""
    memories = [Desk(other).memory or Memory() for other in other_trainings(folder)]
    return {known[0] for memory in memories if len(known := known_processes(memory)) == 1}


def of_others(folder: TrainingFolder) -> set[Process]:
    """Return the processes that are known to be the ServerApps of other trainings."""
    told = (told_process(other, (other.effective or {}).get("run_id", "")) for other in other_trainings(folder))
    return {*filter(None, told), *_remembered_elsewhere(folder)}


def own_processes(folder: TrainingFolder, memory: Memory) -> list[Process]:
    """Return what may be the ServerApp of the run by all that is known now."""
    if told := told_process(folder, memory.run_id):
        return [told]
    known = known_processes(memory)
    others = of_others(folder) if known else set()
    return [process for process in known if process not in others]


def ends_with_its_process(folder: TrainingFolder, memory: Memory, table: ProcessTable) -> bool:
    """Tell whether the end of the process that is known for the run's ends the run: no other could be its ServerApp."""
    own = own_processes(folder, memory)
    if len(own) != 1:
        return False
    return table.lives(own[0]) or not set(table.serverapps()) - of_others(folder)


class Finder:
    """Finds out which ServerApp is the one of the run that the memory names, and remembers it there."""

    def __init__(
        self, folder: TrainingFolder, memory: Memory, table: ProcessTable, shows_all: t.Callable[[], bool], at: float
    ) -> None:
        self._folder, self._memory, self._table, self._shows_all = folder, memory, table, shows_all
        self._began = at
        self._looked: float | None = None
        self.is_told = False  # the ServerApp itself has said which process it is
        self.every: t.Sequence[Process] = ()  # ServerApps on the host at the last look

    def find(self, at: float, starting_at: float | None) -> bool:
        """Look; tell whether another process is known now than before."""
        if self.is_told:
            return False
        before = known_processes(self._memory)
        if told := told_process(self._folder, self._memory.run_id):
            self.is_told = True
            # One that is not seen has ended, unless it would not be seen anyway.
            return (self._table.lives(told) or self._shows_all()) and self._remember(before, [told])
        if before and self._looked is not None and at - self._looked < DOUBT:
            return False
        self._looked = at
        fitting = list(before)
        if not before or at - self._began < YOUNG:
            self.every = self._table.serverapps()
            began = [(process, self._table.began(process)) for process in self.every]
            fitting += [process for process in of_run(began, starting_at) if process not in before]
        others = of_others(self._folder) if fitting else set()
        return self._remember(before, [process for process in fitting if process not in others])

    def forget_forerunner(self, starting_at: float | None) -> bool:
        """Forget a process that has ended and began before Flower says that the run did; tell whether there was one.

        A ServerApp that takes too long to begin loses its run to another one, and ends. None: to one that is to come.
        """
        before = known_processes(self._memory)
        if self.is_told or any(map(self._table.lives, before)):
            return False
        since = math.inf if starting_at is None else starting_at - BEGINS_BEFORE
        return self._remember(before, [process for process in before if self._table.began(process) >= since])

    def _remember(self, before: t.Sequence[Process], now: t.Sequence[Process]) -> bool:
        self._memory.processes = [[process.pid, process.ticks] for process in now]
        return list(before) != list(now)
