# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell an operator about a run while it goes on.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from datetime import datetime

from .._config.privacy import epsilon_of
from .._config.stopping import stopping_text

PACE_ROUNDS = 5

Look = t.Mapping[str, t.Any]  # what run_info returns


class Follower:
    """Turns one look at a run after another into lines, each of them once."""

    def __init__(self, name: str, run_id: str) -> None:
        self.name = name
        self.run_id = run_id
        self.next_round = 1
        self.last: Look | None = None
        self._state: str | None = None
        self._resumed = False

    @property
    def where(self) -> str:
        """Say how far the run is, as the end of a sentence."""
        return f" after round {self.last['round']}/{self.last.get('num_rounds') or '?'}" if self.last else ""

    def lines(self, look: Look) -> list[str]:
        """Return what is new."""
        return [*self._beginning(look), *self._states(look), *self._rounds(look)]

    def _beginning(self, look: Look) -> list[str]:
        effective = look.get("effective") or {}
        checkpoint = effective.get("resumed_from")
        if self._resumed or not checkpoint or effective.get("run_id") != self.run_id:
            return []
        self._resumed = True
        return [f"{self.name}: resumed from {checkpoint['file']}, continuing after round {checkpoint['round']}"]

    def _states(self, look: Look) -> list[str]:
        """Tell a state that is worth a line: waiting to be started, and a SuperLink that is away."""
        state, self._state = self._state, look["status"]
        if self._state == state:
            return []
        if self._state == "pending":
            return [f"{self.name}: still pending; flower-superexec has not taken it up yet"]
        if self._state == "unreachable":
            return [f"{self.name}: the SuperLink does not answer; the run outlives its restart, so waiting goes on"]
        if state == "unreachable":
            return [f"{self.name}: the SuperLink answers again"]
        return []

    def _rounds(self, look: Look) -> list[str]:
        lines = []
        for event in look.get("history") or []:
            if event.get("run_id") == self.run_id and event["round"] >= self.next_round:
                self.next_round, self.last = event["round"] + 1, event
                lines.append(round_line(self.name, event))
                if event.get("checkpoint_problem"):
                    lines.append(f"{self.name}: WARNING: {event['checkpoint_problem']}")
        return lines


def round_line(name: str, event: Look) -> str:
    """Describe a finished round in one line."""
    parts = [f"{name}: round {event['round']}/{event.get('num_rounds') or '?'}"]
    for key, text in (("loss", "loss {:.4f}"), ("accuracy", "accuracy {:.4f}")):
        if isinstance(event.get(key), (int, float)):
            parts.append(text.format(event[key]))
    if event.get("replies") is not None:
        parts.append(f"{event['replies']} {'reply' if event['replies'] == 1 else 'replies'}")
    if event.get("failures"):
        parts.append(f"{event['failures']} FAILED")
    if event.get("aggregated") is False:
        parts.append("SKIPPED, the model is as before")
    if isinstance(event.get("seconds"), (int, float)):
        parts.append(f"{event['seconds']:.1f} s")
    if event.get("checkpoint"):
        parts.append(str(event["checkpoint"]))
    if (spent := epsilon_of(event)) is not None:
        parts.append(f"epsilon {spent:.4g}")
    if stopped := stopping_text(event):
        parts.append(stopped)
    return "  ".join(parts)


def pace(history: t.Sequence[Look], goes_on: bool = True) -> dict[str, t.Any]:
    """Return how far a training is, how long a round takes, and how long the rest will take where that can be told.

    Nothing is left for one that does not go on.
    """
    last = history[-1] if history else {}
    spans = [_span(before, event) for before, event in zip([{}, *history], history)][-PACE_ROUNDS:]
    known = [span for span in spans if span is not None]
    usual = sum(known) / len(known) if known else None
    left = 0 if stopping_text(last) else (last.get("num_rounds") or 0) - (last.get("round") or 0)
    return {
        "round": last.get("round") or 0,
        "num_rounds": last.get("num_rounds"),
        "seconds_per_round": usual,
        "eta_seconds": max(left, 0) * usual if goes_on and usual is not None else None,
    }


def pace_text(history: t.Sequence[Look]) -> str:
    """Say how far a training is."""
    now = pace(history)
    if not now["round"]:
        return "no round is finished yet"
    return (
        f"round {now['round']} of {now['num_rounds'] or '?'} is finished"
        + (f", {now['seconds_per_round']:.1f} s a round" if now["seconds_per_round"] is not None else "")
        + (f", about {span_text(now['eta_seconds'])} left" if now["eta_seconds"] else "")
    )


def span_text(seconds: float) -> str:
    """Write a span of time in the unit that fits it: ``42 s``, ``3 min``, ``5 h``, ``2 d``."""
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // 86400)} d"


def seconds_between(earlier: t.Any, later: t.Any) -> float | None:
    """Return the seconds between two times in ISO form; None when one of them is none."""
    try:
        # Python before 3.11 does not take the letter for UTC.
        first, second = (datetime.fromisoformat(str(text).replace("Z", "+00:00")) for text in (earlier, later))
        return (second - first).total_seconds()
    except (TypeError, ValueError):
        return None


def _span(before: Look, event: Look) -> float | None:
    """Return how long a round took from one end to the next; by itself, where another run lies between."""
    if before.get("run_id") == event.get("run_id"):
        between = seconds_between(before.get("time"), event.get("time"))
        if between is not None and between > 0:
            return between
    seconds = event.get("seconds")
    return float(seconds) if isinstance(seconds, (int, float)) else None
