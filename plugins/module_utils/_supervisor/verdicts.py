# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the supervisor of a training makes of what it sees. It acts on nothing and asks nobody.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

from .._base.jsonable import harmless
from .._flower.assumptions import ALIVE, APP_RAISED, NO_HEARTBEAT_DETAILS, RUN_COMPLETED, RUN_PENDING, RUN_STOPPED
from .._training.runs import LOST, UNREACHABLE
from . import endings
from .endings import ENDINGS, GO_ON, Reason

# The ServerApp's process, as far as it is known which one is ours.
UNKNOWN, LIVING, GONE = "unknown", "living", "gone"

ON_NONE = "The playbook fedops.flower.site registers them, also again when the SuperLink has lost its database."

PENDING_PATIENCE = 15.0  # seconds; a SuperExec that is well takes a run up within two
STALL_FACTOR = 10.0  # a round may take so many times as long as the longest of the last ones
REMEMBERED_ROUNDS = 10
PAUSES = (0.0, 0.0, 5.0, 15.0, 45.0)  # seconds before a run, by how many before it have finished no round
LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Verdict:
    """What is to be done, the reason as a word that stays the same, and a sentence for a person."""

    kind: str
    reason: str = ""
    text: str = ""
    names: tuple[str, ...] = ()  # whom a WAIT is for

    @classmethod
    def of(cls, reason: Reason, text: str = "", names: t.Iterable[str] = (), **facts: t.Any) -> Verdict:
        """Return the verdict that a reason leads to; C(text) is what somebody else says of it."""
        return cls(reason.kind, reason.word, text or reason.sentence.format(**facts).rstrip(), tuple(names))

    @property
    def ends(self) -> bool:
        return self.kind in ENDINGS


BY_OPERATOR = Verdict.of(endings.OPERATOR)


@dataclass(frozen=True)
class Limits:
    """How patient to be with a run."""

    stall_floor: float
    first_round: float
    needed: int = 1
    reports: bool = True  # the app tells of its rounds; without that Flower's counts alone tell of its pace


@dataclass(frozen=True)
class Sighting:
    """Everything there is to see of a run at one moment."""

    word: str  # Flower's last word on the run, or UNREACHABLE
    details: str = ""  # Flower's remark on it
    process: str = UNKNOWN
    executor: str = "active"  # what systemd says of flower-superexec
    executor_changed: bool = False  # it is another process than the one that started the ServerApp
    killed_for_memory: bool = False
    stop_asked: bool = False
    quiesce: float | None = None  # seconds that the round under way has left; None: it may go on
    has_result: bool = False  # the ServerApp has written the result of this run
    failure: t.Mapping[str, t.Any] = field(default_factory=dict)  # what it says of its own end
    pending: float = 0.0  # seconds since the run was first seen pending
    quiet: float = 0.0  # seconds without a finished round, not counting those spent waiting
    rounds: tuple[float, ...] = ()  # seconds that finished rounds took; without any, those between two replies
    replied: bool | None = None  # whether a ClientApp ever has; None: Flower does not say
    superlink_was_away: bool = False  # a short time ago
    fruitless: int = 0  # runs before this one that have finished no round
    rejoining: tuple[str, ...] = ()  # sites that its round waits for, since they took part before
    waits_in: int = 0  # that round
    online: int | None = None
    missing: tuple[str, ...] = ()  # names of SuperNodes that are not online


def judge(seen: Sighting, limits: Limits) -> Verdict:
    """Decide what a run that is followed needs."""
    if seen.stop_asked:
        return BY_OPERATOR
    over = seen.process == GONE or seen.word not in (*ALIVE, UNREACHABLE)
    if seen.word == RUN_COMPLETED or (seen.has_result and over):
        # A result is the proof of the end, also where the ServerApp could not tell Flower of it any more.
        return _completed(seen, limits)
    if seen.quiesce is not None and not over and (seen.quiesce <= 0 or seen.word == RUN_PENDING):
        return _stood_still(seen)
    if seen.word == UNREACHABLE:
        return away(seen.details)
    if seen.word not in ALIVE:
        return _ended(seen)
    if seen.process == GONE:
        return _gone(seen)
    if seen.word == RUN_PENDING:
        return _pending(seen)
    return _running(seen, limits)


def round_budget(rounds: t.Sequence[float], fruitless: int, limits: Limits, is_counted: bool = False) -> float:
    """Return how many seconds a round may take: by those before it, and twice as many each time that was too few.

    Of an app that tells of no rounds it is the time between two replies, where Flower's counts show them. Those of one
    round come close together, so that all of them count, and not the last alone.
    """
    if not limits.reports and not is_counted:
        return math.inf
    known = rounds[-REMEMBERED_ROUNDS:] if limits.reports else rounds
    usual = STALL_FACTOR * max(known) if known else limits.first_round
    return max(limits.stall_floor, usual) * 2 ** min(fruitless, 6)


def pause(fruitless: int) -> float:
    """Return how many seconds to wait before the next run."""
    return PAUSES[fruitless] if fruitless < len(PAUSES) else LONGEST_PAUSE


def give_up(fruitless: int, attempts: int) -> Verdict | None:
    """Say whether so many runs in a row without a finished round are enough."""
    if fruitless < max(1, attempts):  # before any run there is nothing to give up
        return None
    return Verdict.of(endings.NO_PROGRESS, fruitless=fruitless)


def _completed(seen: Sighting, limits: Limits) -> Verdict:
    if limits.reports and not seen.has_result:
        return Verdict.of(endings.NO_RESULT)
    if not limits.reports and seen.replied is False:
        return Verdict.of(endings.NO_REPLY)
    return Verdict.of(endings.COMPLETED)


def _stood_still(seen: Sighting) -> Verdict:
    """Say why a run is to be stopped that does not end its round by itself."""
    what = "its run had not begun" if seen.word == RUN_PENDING else "the round under way was not finished in time"
    return Verdict.of(endings.ALL_QUIESCED, what=f", and {what}")


def _ended(seen: Sighting) -> Verdict:
    """Judge a run that Flower says is over, though nobody of us has ended it."""
    if seen.word == RUN_STOPPED:
        return Verdict.of(endings.FLWR_STOP)
    if seen.word == LOST:
        return Verdict.of(endings.SUPERLINK_FORGOT)
    if not seen.failure and seen.superlink_was_away and seen.details.startswith(APP_RAISED):
        # An app that tells of its failures says itself what it was.
        return Verdict.of(endings.SUPERLINK_LOST, f"The SuperLink was lost: {_told(seen)}")
    if seen.failure or seen.details.startswith(APP_RAISED):
        return _failed(seen)
    if seen.details.startswith(NO_HEARTBEAT_DETAILS) and seen.process != GONE:
        return Verdict.of(endings.NO_HEARTBEAT)
    return _gone(seen)


def _failed(seen: Sighting) -> Verdict:
    """Tell an app that would fail again from one that lacked SuperNodes."""
    reason = endings.TOLD_BY_APP.get(str(seen.failure.get("reason", "")), endings.APP)
    return Verdict.of(reason, _told(seen))


def _told(seen: Sighting) -> str:
    """Return what the app says of its end: it is remembered, for each of the last runs that were lost."""
    told = harmless(str(seen.failure.get("message", "")) or seen.details[len(APP_RAISED) :])
    return told or "The app does not say why."


def _gone(seen: Sighting) -> Verdict:
    """Say what has become of a ServerApp that did not end by itself."""
    if seen.failure:
        return _failed(seen)  # it has, but could not tell Flower of it
    if seen.killed_for_memory:
        return Verdict.of(endings.OUT_OF_MEMORY)
    if seen.executor_changed or seen.executor not in ("active", "unknown"):
        return Verdict.of(endings.SUPEREXEC_GONE)
    return Verdict.of(endings.SERVERAPP_GONE)


def _pending(seen: Sighting) -> Verdict:
    if seen.pending < PENDING_PATIENCE:
        return Verdict(GO_ON)
    why = (
        "It is active, but does not take the run up: look at its journal, restart it if need be."
        if seen.executor in ("active", "unknown")
        else f"systemd says that it is {seen.executor}. Start it: the run is taken up then."
    )
    return Verdict.of(endings.SUPEREXEC, why=why)


def _running(seen: Sighting, limits: Limits) -> Verdict:
    if seen.rejoining:
        names = ", ".join(seen.rejoining)
        return Verdict.of(endings.REJOIN, names=seen.rejoining, round=seen.waits_in, missing=names)
    if seen.online is not None and seen.online < limits.needed:
        return too_few(seen.online, limits.needed, seen.missing)
    budget = round_budget(seen.rounds, seen.fruitless, limits, seen.replied is not None)
    if seen.quiet > budget:
        return Verdict.of(endings.STALLED if limits.reports else endings.SILENCE, budget=budget)
    return Verdict(GO_ON)


def away(details: str) -> Verdict:
    """Say that the SuperLink is waited for."""
    return Verdict.of(endings.SUPERLINK, details=details)


def too_few(online: int, needed: int, missing: t.Sequence[str]) -> Verdict:
    """Say for whom is waited."""
    for_whom = f" Not online: {', '.join(missing)}." if missing else f" No other SuperNode is registered. {ON_NONE}"
    return Verdict.of(endings.NODES, names=missing, online=online, needed=needed, missing=for_whom)
