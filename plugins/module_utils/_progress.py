# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to tell an operator about a run while it goes on, and how to judge its end.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

ENDED = ("completed", "failed", "stopped", "lost", "absent")

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
    return "  ".join(parts)


def end_problem(look: Look) -> str | None:
    """Return what is wrong with the way a run has ended, or None when it has ended well."""
    name, run_id, status = look["name"], look["run_id"], look["status"]
    where = _where(look)
    if status == "failed":
        return f"{name}: run {run_id} failed{where}: {look.get('details') or 'Flower gives no reason'}"
    if status == "stopped":
        return f"{name}: run {run_id} was stopped{where}."
    if status in ("lost", "absent"):
        return f"{name}: the SuperLink no longer knows run {run_id}{where}; its database was replaced in the meantime."
    reports = (look.get("effective") or {}).get("run_id") == run_id
    if reports and (look.get("result") or {}).get("run_id") != run_id:
        return f"{name}: Flower reports run {run_id} as completed, but its ServerApp has not written a result{where}."
    return None


def resumption(look: Look) -> list[str]:
    """Say what to do after a run has ended too early."""
    if look["status"] == "failed":
        return []
    return ["Train again (playbook fedops.flower.train) to resume it from its latest checkpoint, if it has one."]


def still_needed(result: Look, asked: t.Any) -> bool:
    """Tell whether a run that we adopted ended with fewer rounds than are asked for."""
    if result.get("failed") or result.get("submitted") or asked in (None, ""):
        return False
    rounds = (result.get("result") or {}).get("rounds")
    had = rounds if isinstance(rounds, int) else result.get("num_rounds")
    return isinstance(had, int) and had < int(asked)


def _where(look: Look) -> str:
    rounds = [event for event in look.get("history") or [] if event.get("run_id") == look["run_id"]]
    return f" after round {rounds[-1]['round']}/{rounds[-1].get('num_rounds') or '?'}" if rounds else ""
