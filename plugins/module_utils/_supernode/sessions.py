# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In how many trainings a SuperNode has taken part, for a site that has agreed to a number of them.

The launcher of the SuperNode has a copy of the part below, and counts; the module that runs SuperNodes reads what it
has counted.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .._base.guarded import Owners, read_bytes
from .._base.systemd import show_units
from .place import Place, places_found

SESSIONS_LIMIT = 1 << 20  # bytes


def read_sessions(place: Place, owners: Owners = None) -> Agreement | None:
    """Return what a SuperNode has counted; nothing where it counts nothing, or nobody can read it."""
    try:
        return Agreement.from_text(
            read_bytes(os.path.join(place.state, SESSIONS_FILE), SESSIONS_LIMIT, owners).decode("utf-8")
        )
    except (OSError, ValueError):
        return None


def why_left(place: Place, agreed: int, owners: Owners = None) -> str:
    """Say that a SuperNode has taken part in as many trainings; nothing where it has not, or may in all of them."""
    found = read_sessions(place, owners) if agreed else None
    if not found:
        return ""
    found.agreed = agreed
    return found.farewell if found.is_over else ""


def farewells() -> list[str]:
    """Say which SuperNodes of this host have left, by what they have counted and by systemd."""
    over = {place.unit: found for place in places_found("") if (found := read_sessions(place)) and found.is_over}
    running = {unit.name for unit in show_units(*over) if unit.runs} if over else set()
    return [found.farewell for unit, found in over.items() if unit not in running]


# begin: sessions
AGREED = "SUPERNODE_LEAVE_AFTER_SESSIONS"  # the variable in its environment that says how many
HAS_LEFT = 77  # the exit status of one that has taken part in all of them, and that systemd does not start again
SESSIONS_FILE = "sessions.json"  # in the directory that a SuperNode alone writes to
MESSAGES = 4  # for each round: to train and to evaluate, and both again where a training was interrupted
PATIENCE = 24 * 3600.0  # seconds in which a training that was interrupted goes on
# How a run names its training and the rounds of that, to our app and to one that has our kit.
_TRAINING = ("training-name", "fedops.training-name")
_ROUNDS = ("num-server-rounds", "fedops.num-server-rounds")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def said_by(config: Mapping[str, Any]) -> tuple[str, int]:
    """Return the name and the rounds of a training, as a run says them; empty and 0 where it does not."""
    training = next((config[key] for key in _TRAINING if isinstance(config.get(key), str)), "")
    rounds = next((config[key] for key in _ROUNDS if _is_whole(config.get(key))), 0)
    return training, rounds


@dataclass
class Session:
    """A training in which the site takes part: a run, and those that go on with it."""

    training: str  # its name; empty where the run says none
    rounds: int  # as many as the run that began it has asked for; 0 where it has not said
    run: int  # the latest
    messages: int = 0
    reached: int = 0  # the latest round that was asked for
    heard: float = 0.0
    ended: bool = False

    def has(self, run: int, training: str, rounds: int) -> bool:
        """Tell whether a run belongs to it, by what the SuperLink says and by what was agreed to.

        That asks for no more rounds, not again for all of them, and for no more messages than that takes.
        """
        if self.ended or (self.rounds and self.messages >= MESSAGES * self.rounds):
            return False
        goes_on = bool(training) and training == self.training and 0 < rounds <= self.rounds
        return run == self.run or (goes_on and self.reached < self.rounds)


@dataclass
class Agreement:
    """The trainings in which a site has taken part, and the number that it has agreed to."""

    agreed: int
    taken: list[Session] = field(default_factory=list)

    @classmethod
    def from_text(cls, text: str) -> Agreement:
        """Return what was written; ValueError where it cannot have been."""
        try:
            found = json.loads(text)
            read = cls(found["agreed"], [Session(**each) for each in found["taken"]])
        except (KeyError, RecursionError, TypeError) as error:
            raise ValueError(str(error)) from None
        kinds: dict[str, Any] = {"training": str, "heard": (int, float), "ended": bool}
        fields = [(kinds.get(name, int), value) for each in read.taken for name, value in vars(each).items()]
        if not all(isinstance(value, kind) for kind, value in [(int, read.agreed), *fields]):
            raise ValueError("a value is of another type")
        if not all(_NAME.fullmatch(each.training or "none") for each in read.taken):
            raise ValueError("a name is none of a training")
        return read

    @classmethod
    def resumed(cls, agreed: int, path: str) -> tuple[Agreement, str]:
        """Return what was counted up to now, and why the site takes part in nothing more, if it does not."""
        found = cls(agreed)
        try:
            with open(path, encoding="utf-8") as stream:
                found.taken = cls.from_text(stream.read()).taken
        except FileNotFoundError:
            return found, ""
        except ValueError as error:
            return found, f"{os.path.abspath(path)} cannot be read ({error}). Remove it to count trainings anew."
        if not found.is_over:
            return found, ""
        found.write(path)
        return found, found.farewell

    def write(self, path: str) -> None:
        """Write it so that whoever reads it, after a loss of power as well, has the old text or the new one, whole."""
        with open(f"{path}.new", "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(f"{path}.new", path)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @property
    def is_over(self) -> bool:
        """Tell whether the site has taken part in as many trainings as it has agreed to, to the end of each."""
        return len(self.taken) >= self.agreed and all(each.ended for each in self.taken)

    @property
    def limit(self) -> str:
        return "one training" if self.agreed == 1 else f"{self.agreed} trainings"

    @property
    def farewell(self) -> str:
        """Say that the site has left, and how it goes on."""
        names = ", ".join(each.training or f"run {each.run}" for each in self.taken)
        return (
            f"This SuperNode has left: its site has agreed to {self.limit} (supernode_leave_after_sessions),"
            f" and has taken part in {names}. It stays off. To go on, set a larger number, and run fedops.flower.join"
            " or fedops.flower.site again."
        )

    def take(self, run: int, training: str, rounds: int, now: float) -> bool:
        """Count a message of a run; tell whether the site has agreed to it. Rounds are 0 where nobody knows."""
        known = training if rounds > 0 and _NAME.fullmatch(training) else ""
        found = next((each for each in reversed(self.taken) if each.has(run, known, rounds)), None)
        if not found:
            if len(self.taken) >= self.agreed:
                return False
            found = Session(known, rounds if known else 0, run)
            self.taken.append(found)
        found.run, found.heard = run, now
        found.messages += 1
        return True

    def reach(self, run: int, number: int) -> bool:
        """Note the round that a run asks for; tell whether that is news."""
        found = next((each for each in reversed(self.taken) if each.run == run and not each.ended), None)
        if not found or number <= found.reached:
            return False
        found.reached = number
        return True

    def settle(self, runs: Callable[[int], bool | None], now: float) -> bool:
        """Close what has ended; tell whether there is news. ``runs`` says whether a run is running, None for unknown.

        A training that was interrupted, or in whose last rounds this site has no part, looks alike: each may go on.
        """
        news = False
        for each in self.taken:
            running = None if each.ended else runs(each.run)
            if running:
                if now - each.heard > PATIENCE / 24:
                    each.heard, news = now, True
            elif running is False and (each.reached >= each.rounds or now - each.heard > PATIENCE):
                each.ended = news = True
        return news


# end: sessions
