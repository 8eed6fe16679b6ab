# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events in the journal, one JSON object a line. Their names and keys are documented in docs/events.md and stay.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import sys
import typing as t

from .._base.jsonable import TEXT, Bounds, harmless, harmless_value, plain_text
from .desk import now

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # as syslog numbers them

# Every event there is, with its level.
EVENTS: t.Mapping[str, int] = {
    "supervision_started": INFO,
    "run_submitted": INFO,
    "run_adopted": INFO,
    "round_finished": INFO,
    "session_started": INFO,
    "session_finished": NOTICE,
    "session_awaited": INFO,
    "superlink_restarted": WARNING,
    "waiting": WARNING,
    "waiting_over": INFO,
    "run_lost": WARNING,
    "flower_refused": WARNING,
    "training_completed": NOTICE,
    "training_failed": ERROR,
    "training_stopped": NOTICE,
    "training_quiesced": NOTICE,
    "training_given_up": ERROR,
    "training_refused": ERROR,
}

# journald cuts a line that is longer than 48 KiB, and its second half could pass for an event.
LONGEST = 40_000
BOUNDS = (
    Bounds(text=TEXT, items=200, depth=8, total=2000),
    Bounds(text=200, items=50, depth=4, total=150),
    Bounds(text=200, items=16, depth=1, total=16),
)

RESULT_FACTS = ("rounds", "loss", "accuracy", "checkpoint", "sha256")  # of a training that has reached its end


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
            if len(line.encode()) <= LONGEST:
                break
        self._write(line, EVENTS[name])

    def say(self, text: str, level: int = INFO) -> None:
        """Write text down for a person. Nothing in it can pass for an event."""
        for line in text.splitlines():
            shown = harmless(line)
            self._write(f"| {shown}" if shown.lstrip().startswith("{") else shown, level)

    def _write(self, line: str, level: int) -> None:
        line = plain_text(line, self._stream.encoding or "utf-8")  # that must not be what ends a supervisor
        self._stream.write(f"<{level}>{line}\n" if self._levels else f"{line}\n")
        self._stream.flush()
