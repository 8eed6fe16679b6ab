# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events in the journal, one JSON object a line. Their names and keys stay; docs/events.md is generated from here.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t
from dataclasses import dataclass, field

from .._base.jsonable import LINE_OF_TEXT, Bounds, harmless, harmless_value, plain_text
from .endings import END_FACTS, ENDINGS, FLOWER_REFUSED, LOG_INFO, LOG_NOTICE, LOG_WARNING, RESULT_FACTS
from .memory import now

ROUND_FACTS = ("run_id", "round", "num_rounds", "loss", "accuracy", "replies", "failures", "seconds", "checkpoint")


@dataclass(frozen=True)
class Event:
    """What is written when something happens."""

    name: str
    level: int
    when: str
    facts: tuple[str, ...] = ()  # what it says beside what every event says
    notes: t.Mapping[str, str] = field(default_factory=dict)  # on some of them


# Every event there is. How trainings end is known elsewhere.
EVENTS: t.Mapping[str, Event] = {
    event.name: event
    for event in (
        Event("supervision_started", LOG_INFO, "the supervisor has started, also after each of its restarts"),
        Event("run_submitted", LOG_INFO, "a run is submitted", ("run_id", "num_rounds")),
        Event(
            "run_adopted", LOG_INFO, "a run that is there is followed, so that nothing is trained twice", ("run_id",)
        ),
        Event("round_finished", LOG_INFO, "a round is finished", ROUND_FACTS),
        Event(
            "session_started",
            LOG_INFO,
            "a session of a continuous training begins",
            ("session", "reason", "num_rounds", "online"),
            {"reason": "`first`, `nodes`, `interval`", "num_rounds": "of the training at its end"},
        ),
        Event("session_finished", LOG_NOTICE, "and is finished", ("session", "run_id", *RESULT_FACTS)),
        Event(
            "session_awaited", LOG_INFO, "the next one is waited for", ("sessions",), {"sessions": "finished so far"}
        ),
        Event("superlink_restarted", LOG_WARNING, "the SuperLink has started anew; the run outlives that", ("run_id",)),
        Event("waiting", LOG_WARNING, "somebody or something is waited for", ("reason", "waiting_for", "run_id")),
        Event("waiting_over", LOG_INFO, "and that has an end", ("run_id",)),
        Event(FLOWER_REFUSED.event, LOG_WARNING, "Flower has refused a submission that may succeed later", ("code",)),
        *(
            Event(ending.event, ending.level, ending.when, (*END_FACTS, *ending.facts), ending.notes)
            for ending in ENDINGS.values()
        ),
    )
}

# journald cuts a line that is longer than 48 KiB, and its second half could pass for an event.
_LONGEST = 40_000
BOUNDS = (
    Bounds(text=LINE_OF_TEXT, items=200, depth=8, total=2000),
    Bounds(text=200, items=50, depth=4, total=150),
    Bounds(text=200, items=16, depth=1, total=16),
)


class Journal:
    """The journal of one training: standard output, which systemd reads."""

    def __init__(self, training: str, stream: t.TextIO | None = None) -> None:
        self.training = training
        self._stream = stream or sys.stdout
        # Somebody who starts the program by hand has no use for levels.
        self._levels = "JOURNAL_STREAM" in os.environ

    def event(self, name: str, message: str, **facts: t.Any) -> None:
        """Write an event down."""
        content = {"event": name, "training": self.training, "time": now("milliseconds"), "message": message, **facts}
        for bounds in BOUNDS:
            line = json.dumps(harmless_value(content, bounds), ensure_ascii=False, allow_nan=False)
            if len(line.encode()) <= _LONGEST:
                break
        self._write(line, EVENTS[name].level)

    def say(self, text: str, level: int = LOG_INFO) -> None:
        """Write text down for a person. Nothing in it can pass for an event."""
        for line in text.splitlines():
            shown = harmless(line)
            self._write(f"| {shown}" if shown.lstrip().startswith("{") else shown, level)

    def _write(self, line: str, level: int) -> None:
        line = plain_text(line, self._stream.encoding or "utf-8")  # that must not be what ends a supervisor
        self._stream.write(f"<{level}>{line}\n" if self._levels else f"{line}\n")
        self._stream.flush()
