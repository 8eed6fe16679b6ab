# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Telling an operator: each event of the record is given to a program of theirs, a bounded number of times.

It runs in a unit of its own, as an account without rights. What it gives the program is one JSON object on its standard
input. A program that fails or takes too long is called again later, and what has come after it waits for it only where
it is about the same.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import typing as t
from contextlib import suppress
from dataclasses import dataclass, field

from .._base.jsonable import harmless, is_number, is_whole
from .._base.records import read_object, write_object
from .conditions import MINUTE

DELIVERED = "delivered.json"
FIRST_PAUSE, LONGEST_RETRY_PAUSE = 15.0, 1800.0  # seconds until a program that has failed is called again
TOO_OLD = 86400.0  # seconds, after which nobody is told any more
MOST_CALLS = 20  # in one pass, so that it has an end; the next one is a minute later
_MODE = 0o600


@dataclass
class Tries:
    """How often an event was given to the program."""

    count: int = 0
    after: float = 0.0  # not before this moment again
    done: bool = False  # it was taken, or is given up


@dataclass
class Delivery:
    """One pass over what is to be told."""

    command: t.Sequence[str]
    timeout: float
    attempts: int
    state: str  # folder
    say: t.Callable[[str], t.Any]
    clock: t.Callable[[], float]
    tries: dict[str, Tries] = field(default_factory=dict)
    lost: int = 0  # events that were given up in this pass

    def deliver(self, outbox: t.Sequence[t.Mapping[str, t.Any]]) -> bool:
        """Give the program what it has not taken yet; tell whether nothing is left."""
        self.tries = self._remembered()
        known = {entry["event"]["id"]: entry for entry in outbox}
        self.tries = {name: tries for name, tries in self.tries.items() if name in known}
        held: set[str] = set()  # what is to be told of these comes after what is to be told first
        calls = 0
        for name, entry in known.items():
            tries = self.tries.setdefault(name, Tries())
            if not tries.done and self.clock() - entry["at"] > TOO_OLD:
                tries.done = True
            if tries.done or entry["key"] in held:
                continue
            if tries.after > self.clock() or calls >= MOST_CALLS:
                held.add(entry["key"])
                continue
            calls += 1
            if not self._try(name, entry["event"], tries):
                held.add(entry["key"])
        self._remember()
        return all(tries.done for tries in self.tries.values())

    def _try(self, name: str, event: t.Mapping[str, t.Any], tries: Tries) -> bool:
        tries.count += 1
        tries.after = self.clock() + pause_before_next(tries.count)
        self._remember()  # first: a program that takes this process with it is not called for ever
        problem = call(self.command, event, self.timeout)
        if not problem:
            tries.done = True
            self.say(f"{name} is told: {event['message']}")
        elif tries.count >= self.attempts:
            tries.done = True
            self.lost += 1
            self.say(f"{name} is given up after {tries.count} attempts, as the program {problem}: {event['message']}")
        else:
            wait = round(pause_before_next(tries.count))
            self.say(f"{name} is tried again in {wait} s or later, as the program {problem}.")
        self._remember()
        return tries.done

    def _remembered(self) -> dict[str, Tries]:
        values = (read_object(os.path.join(self.state, DELIVERED)) or {}).get("tries")
        return {
            str(name): Tries(entry["count"], entry["after"], entry.get("done") is True)
            for name, entry in (values if isinstance(values, dict) else {}).items()
            if isinstance(entry, dict) and is_whole(entry.get("count")) and is_number(entry.get("after"))
        }

    def _remember(self) -> None:
        tries = {name: vars(entry) for name, entry in self.tries.items()}
        write_object(os.path.join(self.state, DELIVERED), {"tries": tries}, _MODE)


def pause_before_next(count: int) -> float:
    """Return how long to wait after so many attempts: 15 s, 1 min, 4 min, 16 min, then half an hour."""
    return min(LONGEST_RETRY_PAUSE, FIRST_PAUSE * 4 ** (count - 1)) if count < 10 else LONGEST_RETRY_PAUSE


def longest_pass(timeout: float) -> float:
    """Return the seconds after which a pass has surely ended."""
    return MOST_CALLS * (timeout + 1) + MINUTE


def call(command: t.Sequence[str], event: t.Mapping[str, t.Any], timeout: float) -> str:
    """Give the program an event; say what went wrong, as the end of a sentence, or nothing.

    What it writes goes where our own words go, which is the journal.
    """
    given = (json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "replace")
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        return f"cannot be started ({harmless(error.strerror or str(error))})"
    try:
        process.communicate(given, timeout)
    except subprocess.TimeoutExpired:
        return f"took longer than {timeout:g} s"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started and left
        process.wait()
    if process.returncode < 0:
        return f"was ended by signal {-process.returncode}"
    return f"ended with status {process.returncode}" if process.returncode else ""
