# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pausing and resuming all trainings of a SuperLink: gives the order, and waits until it has been carried out.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._base.layout import folder
from .._base.systemd import SystemdError, control, show_units
from .._flower.answers import FlwrMissingError, FlwrUnreachableError
from .._flower.cli import Flwr
from .._training.folder import TrainingFolder
from .._training.follow import training_names
from .._training.quiesce_order import give_order, lift_order, standing_order
from .._training.runs import known_runs
from .desk import Desk, unit_name
from .endings import ALL_QUIESCED, QUIESCED
from .outlook import outlook

LOOK_EVERY = 1.0  # seconds between looks at the units
ASK_EVERY = 5.0  # between questions to Flower, once the units are at rest
GRACE = 20.0  # seconds that supervisors and apps have to heed the order after the last moment

CUT_OFF = ALL_QUIESCED.sentence.format(what=", and the round under way was not finished in time")


@dataclass(frozen=True)
class Busy:
    """Who is still at work: trainings by their supervisors, runs of trainings by Flower's word, and other runs."""

    supervised: tuple[str, ...] = ()
    runs: tuple[tuple[str, str], ...] = ()  # training and run
    others: tuple[str, ...] = ()  # runs of no training of ours: nobody here knows what they may lose
    unknown: str = ""  # why Flower's word is missing

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted({*self.supervised, *(name for name, dummy in self.runs)}))


class Quiescing:
    """The trainings of one SuperLink host."""

    def __init__(self, flwr: Flwr) -> None:
        self.flwr = flwr
        self.trainings = folder(flwr.home, "trainings")

    def desks(self) -> list[Desk]:
        """Return the desk of every training that is or was supervised."""
        desks = [Desk(folder) for folder in self._folders()]
        return [desk for desk in desks if desk.request is not None]

    def quiesce(self, timeout: float, wait: float, check_mode: bool = False, purpose: str = "") -> tuple[bool, Busy]:
        """Give the order and wait for its effect; return whether anything was to be done, and who is still at work."""
        if check_mode:
            busy = self._busy()
            return standing_order(self.trainings) is None or bool(busy.names), busy
        changed = give_order(self.trainings, timeout, purpose)
        end = time.monotonic() + wait
        while True:
            busy = self._busy()
            changed = changed or bool(busy.names)
            order = standing_order(self.trainings)
            if busy.names and order is not None and order.left < -GRACE:
                self._cut_off(busy)
                busy = self._busy()
            if not busy.names or order is None or time.monotonic() >= end:
                return changed, busy
            pause = LOOK_EVERY if busy.supervised else ASK_EVERY
            time.sleep(max(0.0, min(pause, end - time.monotonic())))

    def resume(self, check_mode: bool = False) -> tuple[bool, list[dict[str, t.Any]]]:
        """Lift the order and start what it has stopped; return whether anything was to be done, and what is started."""
        ordered = standing_order(self.trainings) is not None
        if check_mode:
            waiting = self.told()
            return ordered or bool(waiting), waiting
        lift_order(self.trainings)
        started = self._start(self.told())
        if ordered and self._at_work():
            # One that was just about to end for the order has said so by now.
            time.sleep(LOOK_EVERY)
            started += self._start(told for told in self.told() if told["name"] not in [had["name"] for had in started])
        return ordered or bool(started), started

    @staticmethod
    def _start(trainings: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
        """Have supervisors begin, every one that can."""
        started, problems = [], []
        for training in trainings:
            unit = unit_name(training["name"])
            try:
                with suppress(SystemdError):
                    control("reset-failed", unit)  # which also forgets how often it was started lately
                control("enable", "--quiet", unit)
                control("restart", unit)  # a start does nothing for one that is about to end
                started.append(training)
            except SystemdError as error:
                problems.append(f"{training['name']}: {error}")
        if problems:
            raise SystemdError("\n".join(problems))
        return started

    @staticmethod
    def is_quiesced(desk: Desk) -> bool:
        """Tell whether a training stands still because of the order, and for no other reason."""
        memory, request = desk.memory, desk.request
        if memory is None or request is None or desk.is_stopped:
            return False
        return memory.state == QUIESCED and memory.request_id == request.request_id

    def told(self) -> list[dict[str, t.Any]]:
        """Return how the trainings stand that go on when the order is lifted."""
        keys = ("state", "detail", "round", "num_rounds", "checkpoint")
        found = [(desk.folder, outlook(desk.folder) or {}) for desk in self.desks() if self.is_quiesced(desk)]
        return [{"name": folder.name, **{key: seen.get(key) for key in keys}} for folder, seen in found]

    def _folders(self) -> list[TrainingFolder]:
        return [TrainingFolder(self.flwr.home, name) for name in training_names(self.flwr.home)]

    def _at_work(self) -> tuple[str, ...]:
        """Return the trainings whose supervisor runs."""
        # One that only waits for the SuperLink, to stop a run that was left, keeps nobody waiting.
        names = [desk.folder.name for desk in self.desks() if not (desk.is_stopped and desk.left)]
        units = show_units(*map(unit_name, names)) if names else []
        return tuple(name for name, unit in zip(names, units) if unit.lives)

    def _busy(self) -> Busy:
        """See who is at work. Flower is asked when no supervisor is: it is a process of a second or two each time."""
        if supervised := self._at_work():
            return Busy(supervised)
        try:
            alive = [run.run_id for run in self.flwr.runs() if run.alive]
        except FlwrMissingError:
            return Busy()  # nothing is deployed
        except FlwrUnreachableError as error:
            return Busy(unknown=str(error))
        owners = {run.run_id: folder.name for folder in self._folders() for run in known_runs(folder, [])}
        return Busy(
            runs=tuple((owners[run_id], run_id) for run_id in alive if run_id in owners),
            others=tuple(run_id for run_id in alive if run_id not in owners),
        )

    def _cut_off(self, busy: Busy) -> None:
        """End what has not heeded the order."""
        desks = {desk.folder.name: desk for desk in self.desks()}
        for name in busy.supervised:
            control("stop", unit_name(name))
            self._remember(desks[name])
        for name, run_id in self._busy().runs if busy.supervised else busy.runs:
            self.flwr.stop(run_id)
            if name in desks and self.is_quiesced(desks[name]):
                self._remember(desks[name], run_id)

    @staticmethod
    def _remember(desk: Desk, ended: str = "") -> None:
        """Say for a supervisor, which is no more, how things stand, and which run has ended for sure."""
        memory, request = desk.memory, desk.request
        if memory is None or request is None or memory.request_id != request.request_id:
            return  # it has not begun, and does so when it is started
        memory.learn(desk.folder.effective, (memory.run_id,))
        if ended == memory.run_id:
            memory.end_run()
        memory.stand(QUIESCED, ALL_QUIESCED.word, CUT_OFF)
        desk.remember(memory)
