# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next session of a continuous training begins, and how many rounds the training has then.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

from .._flower.answers import FlwrError
from .._flower.cli import Flwr
from .._supernode.registry import list_supernodes, named
from .._training.folder import TrainingFolder
from .._training.runs import Asked, belongs_to
from .desk import Desk
from .endings import RESULT_FACTS, SESSION
from .journal import Journal
from .memory import Memory
from .request import Request
from .verdicts import Verdict, too_few

BEGIN = "begin"


@dataclass(frozen=True)
class Between:
    """What is known between two sessions."""

    sessions: int  # that are finished
    online: tuple[str, ...]
    missing: tuple[str, ...]
    needed: int
    before: tuple[str, ...]  # who was online at the last look
    newcomers: tuple[str, ...]  # who has come since the last session
    since: float  # seconds since its end
    interval: float  # seconds after which another one is due; 0: none


def newcomers(between: Between) -> tuple[str, ...]:
    """Return who has joined or come back since the last session, of those who are still there."""
    came = {*between.newcomers, *(set(between.online) - set(between.before))}
    return tuple(sorted(came & set(between.online)))


def next_step(between: Between) -> Verdict:
    """Decide whether the next session begins, and what is waited for if it does not."""
    if len(between.online) < between.needed:
        return too_few(len(between.online), between.needed, between.missing)
    if not between.sessions:
        return Verdict(BEGIN, "first", "Enough SuperNodes are online.")
    if came := newcomers(between):
        return Verdict(BEGIN, "nodes", f"{', '.join(came)} came.", came)
    if 0 < between.interval <= between.since:
        return Verdict(BEGIN, "interval", f"{between.interval:g} seconds have passed.")
    until = f", or in {between.interval - between.since:.0f} s" if between.interval > 0 else ""
    return Verdict.of(SESSION, until=until)


@dataclass(frozen=True)
class Trained:
    """What a training has of one configuration when a session begins."""

    finished: int | None = None  # rounds of the last session that was brought to its end; None: it was cut short
    last: int = 0  # the last round of the history
    asked: int | None = None  # rounds that its newest run was to have in the end


def trained(folder: TrainingFolder, wanted: Asked) -> Trained:
    """Look what a training has of what is asked for."""
    result, ledger = folder.result or {}, folder.ledger
    same = belongs_to(wanted, ledger)
    rounds = [event["round"] for event in folder.history if same(event)]
    finished = result.get("rounds") if same(result) else None
    return Trained(
        finished=finished if isinstance(finished, int) else None,
        last=rounds[-1] if rounds else 0,
        asked=ledger[-1].num_rounds if ledger and same(vars(ledger[-1])) else None,
    )


def rounds_after(had: Trained, session_rounds: int) -> int:
    """Return the number of rounds that the training has at the end of its next session.

    A run that goes on takes the result of the session before away, so without one a session was cut short: it is
    finished, and no round is asked for that is trained already.
    """
    if had.finished is not None:
        return had.finished + session_rounds
    most = had.last + session_rounds
    return min(max(had.asked, had.last + 1), most) if had.asked else most


class Sessions:
    """The sessions of a continuous training: opens one when it is due, closes it when its rounds are trained."""

    def __init__(self, desk: Desk, request: Request, memory: Memory, flwr: Flwr, journal: Journal) -> None:
        self._desk, self._request, self._memory, self._flwr, self._journal = desk, request, memory, flwr, journal

    @property
    def between(self) -> bool:
        """Tell whether the next session has not begun."""
        return self._request.continuous and not self._memory.target

    def step(self) -> Verdict:
        """Look who is there; open the next session if it is due, and say what is waited for if not."""
        memory, request = self._memory, self._request
        nodes = list_supernodes(self._flwr)
        now = time.time()
        memory.session_ended = min(memory.session_ended, now)  # the clock may have been set back since
        between = Between(
            sessions=memory.sessions,
            online=named(nodes, online=True),
            missing=named(nodes, online=False),
            needed=request.needed_nodes,
            before=tuple(memory.online),
            newcomers=tuple(memory.newcomers),
            since=now - memory.session_ended,
            interval=request.session_interval,
        )
        step = next_step(between)
        memory.online, memory.newcomers = list(between.online), list(newcomers(between))
        if step.kind == BEGIN:
            anew = request.force and request.begins_anew and not memory.began
            had = Trained() if anew else trained(self._desk.folder, request.wanted(None))
            memory.target = rounds_after(had, request.num_rounds or 1)
            facts = {"session": memory.sessions + 1, "num_rounds": memory.target, "online": memory.online}
            self._journal.event("session_started", f"A session begins. {step.text}", reason=step.reason, **facts)
        self._desk.remember(memory)
        return step

    def finish(self) -> None:
        """Close the session."""
        memory, result = self._memory, self._desk.folder.result or {}
        memory.end_session()
        with suppress(FlwrError):  # who was online before the session is nearly as good
            memory.online = list(named(list_supernodes(self._flwr), online=True))
        self._desk.remember(memory)
        facts = {"session": memory.sessions, "run_id": memory.run_id, **{key: result.get(key) for key in RESULT_FACTS}}
        self._journal.event("session_finished", f"Session {memory.sessions} is finished.", **facts)
