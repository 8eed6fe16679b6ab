# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is told of a supervised training: how it stands, how far it is, what went wrong on the way.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.systemd import Unit, show_units
from .._training.folder import TrainingFolder
from .._training.progress import Follower, Look, pace, seconds_between
from .desk import Desk, unit_name
from .endings import AT_WORK, FAILED, FINISHED, GO_ON, STATES, STOPPED, TRAIN_AGAIN, WAIT
from .memory import Memory, now
from .request import Request
from .shared_directories import checkpoint_directory
from .verdicts import BY_OPERATOR

HALTED = "halted"  # it was to go on, but nobody sees to it
LAST_ROUNDS = 3


def outlook(folder: TrainingFolder) -> dict[str, t.Any] | None:
    """Return how a supervised training stands; None for one that is not supervised."""
    desk = Desk(folder)
    request = desk.request
    if request is None:
        return None
    (unit,) = show_units(unit_name(folder.name))
    seen = picture(request, desk.memory or Memory(), unit, folder.history, desk.is_stopped, now())
    names = folder.site_names
    seen["failed_nodes"] = sorted({names.real(name) for name in seen["failed_nodes"]})
    if desk.is_stopped and (left := desk.left):
        seen["detail"] = f"{seen['detail']} Run {left} is stopped as soon as the SuperLink answers.".lstrip()
    return seen


def picture(
    request: Request,
    memory: Memory,
    unit: Unit,
    history: t.Sequence[t.Mapping[str, t.Any]],
    is_stopped: bool = False,
    at: str = "",
) -> dict[str, t.Any]:
    """Make one picture of what is asked for, what the supervisor remembers, its unit, and the rounds so far."""
    if memory.request_id != request.request_id:
        memory = Memory(request_id=request.request_id)  # the supervisor has not begun with it yet
    state, detail = memory.state, memory.detail
    if state in AT_WORK and not unit.is_known:
        detail = f"{detail} systemd does not say how {unit.name} is.".lstrip()  # no reason to take it for dead
    elif state in AT_WORK and not unit.lives and is_stopped:
        state, detail = BY_OPERATOR.kind, BY_OPERATOR.text  # its supervisor was too slow to say so itself
    elif state in AT_WORK and not unit.lives:
        state = HALTED
        detail = f"{unit.name} is {unit.state}{f' ({unit.result})' if unit.result else ''}. {detail}".rstrip()
    own = [event for event in history if request.configuration_hash in (None, event.get("configuration_hash"))]
    progress = pace(own, state in AT_WORK)
    return {
        "state": state,
        "reason": memory.reason,
        "detail": detail,
        "since": memory.since or None,
        "waiting_for": memory.waiting_for,
        "stopped": is_stopped,
        "mode": request.mode,
        "reports": request.reports,
        "purpose": request.purpose,
        "request_id": request.request_id,
        # The run of an older request is no news of this one, unless it was all that this one asks for.
        "run_id": (memory.run_id or None) if memory.runs or memory.state == FINISHED else None,
        "unit": unit.name,
        "signature": memory.signature,
        "restarts": memory.restart_count,
        "restart_reasons": memory.restarts,
        "checkpoint": last_checkpoint(own, at),
        "checkpoint_directory": checkpoint_directory(request.run_config),
        **progress,
        "num_rounds": (memory.target if request.continuous else request.num_rounds) or progress["num_rounds"],
        "session": memory.sessions + bool(memory.target),
        "failed_nodes": failed_nodes(own[-LAST_ROUNDS:]),
    }


def last_checkpoint(rounds: t.Iterable[Look], at: str) -> dict[str, t.Any] | None:
    """Return the newest checkpoint that a round has left, and how old it is."""
    saved = [event for event in rounds if event.get("checkpoint")]
    if not saved:
        return None
    event = saved[-1]
    return {"file": event["checkpoint"], "round": event["round"], "age": seconds_between(event.get("time"), at)}


def failed_nodes(rounds: t.Iterable[t.Mapping[str, t.Any]]) -> list[str]:
    """Return those that have failed, stayed silent or were rejected in some rounds, as the history calls them."""
    entries = [entry for event in rounds for key in ("failed", "rejected") for entry in event.get(key) or []]
    return sorted({str(entry["site"]) for entry in entries})


class TrainingFollower:
    """Turns one look at a supervised training after another into lines, whatever runs it takes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._run: Follower | None = None
        self._restarts: int | None = None
        self._waiting = ""

    @property
    def next_round(self) -> int:
        return self._run.next_round if self._run else 1

    @property
    def where(self) -> str:
        """Say how far the training is, as the end of a sentence."""
        return self._run.where if self._run else ""

    def lines(self, look: Look) -> list[str]:
        """Return what is new."""
        supervision = look["supervision"]
        return [*self._rounds(look), *self._losses(supervision), *self._new_run(look), *self._states(supervision)]

    def _rounds(self, look: Look) -> list[str]:
        return self._run.lines(look) if self._run else []

    def _losses(self, supervision: Look) -> list[str]:
        # What was lost before anybody looked is no news.
        known, self._restarts = self._restarts, supervision["restarts"]
        new = supervision["restarts"] - known if known is not None else 0
        lost = supervision["restart_reasons"][-new:] if new > 0 else []
        return [f"{self.name}: run {entry['run_id']} is lost. {entry['detail']}" for entry in lost]

    def _new_run(self, look: Look) -> list[str]:
        """Tell of a run that is new, and of what it has finished already."""
        run_id = look["supervision"]["run_id"]
        if not run_id or (self._run and self._run.run_id == run_id):
            return []
        self._run = Follower(self.name, run_id)
        return [f"{self.name}: run {run_id} is under way", *self._run.lines(look)]

    def _states(self, supervision: Look) -> list[str]:
        before, self._waiting = self._waiting, supervision["detail"] if supervision["state"] == STATES[WAIT] else ""
        if self._waiting:
            return [f"{self.name}: {self._waiting}"] if self._waiting != before else []
        return [f"{self.name}: it goes on"] if before and supervision["state"] == STATES[GO_ON] else []


def training_problem(look: Look, where: str) -> str | None:
    """Return what is wrong with the way a supervised training has ended, or None when it has ended well."""
    name, supervision = look["name"], look["supervision"]
    state, detail, run_id = supervision["state"], supervision["detail"], supervision["run_id"]
    if state == FINISHED:
        return None
    if state == FAILED:
        return f"{name}: run {run_id} failed{where}: {detail}"
    if state == STOPPED:
        return f"{name}: stopped{where}. {detail} {TRAIN_AGAIN}"
    if state == HALTED:
        unit = supervision["unit"]
        return f"{name}: nobody supervises it any more{where}. {detail} 'journalctl -u {unit}' on that host tells why."
    return f"{name}: {state.replace('_', ' ')}{where}. {detail}"
