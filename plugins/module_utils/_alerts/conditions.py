# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that an operator is told of, and what it means: nowhere else is this written.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict
from dataclasses import dataclass, field

IS_ERROR, IS_WARNING, IS_INFO = "error", "warning", "info"
STANDING, OVER = "standing", "over"
MINUTE = 60.0


@dataclass(frozen=True)
class AlertKind:
    """A condition that an operator is told of: when it stands, and once more when it is over."""

    word: str  # which stays the same, for programs
    severity: str
    sentence: str  # for a person, with facts in braces
    over: str  # the same when it is over
    meaning: str  # for the documents
    action: str  # what an operator does about it


_ENDED = "The training {training} is {now}."

TRAINING_FAILED = AlertKind(
    "training_failed",
    IS_ERROR,
    "The training {training} has failed. {detail}",
    _ENDED,
    "the app has failed, and would fail again",
    "Read the end of the log of the run, correct the app or its data, and train again.",
)
TRAINING_GIVEN_UP = AlertKind(
    "training_given_up",
    IS_ERROR,
    "The training {training} is given up. {detail}",
    _ENDED,
    "`training_attempts` runs in a row have finished no round",
    "Remove the cause that the run_lost events in the journal of its supervisor name, then train again.",
)
TRAINING_REFUSED = AlertKind(
    "training_refused",
    IS_ERROR,
    "The training {training} cannot be trained as asked. {detail}",
    _ENDED,
    "the training cannot be trained as asked",
    "Change what the message names, then train again.",
)
TRAINING_HALTED = AlertKind(
    "training_halted",
    IS_ERROR,
    "Nobody supervises the training {training} any more, which is to go on. {detail}",
    _ENDED,
    "the training is to go on, but for a minute no supervisor has run",
    "Look at the journal of its unit, then train again.",
)
TRAINING_WAITING = AlertKind(
    "training_waiting",
    IS_WARNING,
    "The training {training} waits. {detail}",
    "The training {training} waits no longer: it is {now}.",
    "the training has waited for longer than `training_alert_waiting`; `reason` is that of the event"
    " [`waiting`](events.md#reasons)",
    "Do what the table of reasons for waiting in docs/events.md says.",
)
SITE_OFFLINE = AlertKind(
    "site_offline",
    IS_WARNING,
    "The SuperNode {site} is offline, while something is trained.",
    "The SuperNode {site} is no longer missed: {now}.",
    "a SuperNode that took part is offline for longer than `training_alert_offline`, while something is trained",
    "Look at the journal of flower-supernode on its host, and whether that host reaches the SuperLink.",
)
SITE_FAILING = AlertKind(
    "site_failing",
    IS_WARNING,
    "The SuperNode {site} has given nothing that counts in the last {rounds} rounds of {training}.",
    "The SuperNode {site} counts again in {training}, or nothing is trained any more.",
    "a SuperNode has failed, stayed silent or been rejected in each of the last three rounds",
    "Look at the sites in the status of the federation (playbook fedops.flower.status) and at the journal of its host.",
)
CHECKPOINT_NOT_SAVED = AlertKind(
    "checkpoint_not_saved",
    IS_ERROR,
    "Round {round} of {training} is not saved. {detail}",
    "A checkpoint of {training} is saved again, or nothing is trained any more.",
    "the last round has not left the checkpoint that it should have; the training goes on",
    "Remove the cause that the message names: what is trained meanwhile is lost with its run.",
)
STORAGE_LOW = AlertKind(
    "storage_low",
    IS_WARNING,
    "Of the storage of {path}, {percent} % is free.",
    "Of the storage of {path}, {percent} % is free again.",
    "less of the storage of the home or of the checkpoints is free than `training_alert_free_percent`",
    "Make room, or keep fewer checkpoints (fl_checkpoint_keep_last).",
)
STORAGE_SILENT = AlertKind(
    "storage_silent",
    IS_ERROR,
    "The storage of {path} does not answer.",
    "The storage of {path} answers again.",
    "the storage of the home or of the checkpoints does not answer",
    "Look whether the server or the disk of it is there: no checkpoint is saved meanwhile.",
)
CERTIFICATE_ENDS = AlertKind(
    "certificate_ends",
    IS_WARNING,
    "The {what} ends in {days} days, on {ends}: {path}.",
    "The {what} is valid for {days} more days: {path}.",
    "the certificate of the SuperLink, or of its authority, ends within `training_alert_certificate_days`",
    "Run fedops.flower.site, which renews the certificate of the SuperLink; an authority is replaced by hand.",
)
CERTIFICATE_EXPIRED = AlertKind(
    "certificate_expired",
    IS_ERROR,
    "The {what} has ended on {ends}, and no SuperNode connects any more: {path}.",
    "The {what} is valid for {days} more days: {path}.",
    "the certificate of the SuperLink, or of its authority, has ended",
    "Run fedops.flower.site, which renews the certificate of the SuperLink; an authority is replaced by hand.",
)
TRIED = AlertKind(
    "test",
    IS_INFO,
    "This is a test of the alerts of {host}.",
    "",
    "somebody has asked for a test",
    "Nothing.",
)

ALERT_KINDS: t.Mapping[str, AlertKind] = {
    entry.word: entry for entry in list(globals().values()) if isinstance(entry, AlertKind)
}


@dataclass(frozen=True)
class Condition:
    """Something that is so at a moment."""

    kind: AlertKind
    training: str = ""
    site: str = ""
    path: str = ""
    order: str = ""  # which order to train it is of: the next one is another condition
    since: float = 0.0  # since when, where that is known better than by when it was first seen
    patience: float = 0.0  # seconds that it stands before anybody is told
    facts: t.Mapping[str, t.Any] = field(default_factory=dict)  # for the sentence
    reason: str = ""
    run_id: str = ""
    round: int | None = None
    waiting_for: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what tells it from all others."""
        return " ".join((self.kind.word, self.training, self.site, self.path, self.order)).strip()

    @property
    def text(self) -> str:
        """Say it."""
        return _filled(self.kind.sentence, self)


def over_text(kind: AlertKind, condition: Condition, now: str, facts: t.Mapping[str, t.Any]) -> str:
    """Say that a condition is over; C(now) is how it is instead."""
    return _filled(kind.over, condition, {**facts, "now": now})


def _filled(sentence: str, condition: Condition, more: t.Mapping[str, t.Any] | None = None) -> str:
    known = {"training": condition.training, "site": condition.site, "path": condition.path, "round": condition.round}
    facts = defaultdict(lambda: "?", {**known, **condition.facts, **(more or {})})
    return " ".join(sentence.format_map(facts).split())
