# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ServerApps tell of their trainings: claims of code that others have written, and read as such.

A claim is a regular file of the account that runs the ServerApps, and of a bounded size. Every value of it that code of
ours uses has the type that is expected, every text is harmless, and there is only so much of it. Whatever does not fit
is a ClaimError that says what is wrong. Nothing here waits, and nothing takes more memory than the bounds say.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.guarded import Owners, read_bytes, regular_file
from .._base.jsonable import CLAIM, Bounds, harmless_value, is_finite_number, is_whole, loads
from .._base.records import why_unread

EFFECTIVE_FILE, RESULT_FILE, HISTORY_FILE, FAILURE_FILE, WAITING_FILE = (
    "effective.json",
    "result.json",
    "history.jsonl",
    "failure.json",
    "waiting.json",
)
OBJECT_LIMIT = 1 << 20  # bytes of one record
HISTORY_LIMIT = 16 << 20  # bytes of the history; of a longer one, its end is read
LINE_LIMIT = 1 << 20  # bytes of one round, with all of its sites
MOST_ROUNDS = 20000
TOO_DEEP, NOT_WHOLE = "it is too deep", "it is not whole JSON"
_LONGEST = 1e9  # seconds
_LARGEST = 1 << 53  # a whole number that every reader of JSON takes

OF_SITES = ("sites", "across_sites")  # which are read of the newest round alone: there may be very many

_ROUND = Bounds(text=2000, items=1000, depth=6, total=5000)
_WITH_SITES = Bounds(text=2000, items=1000, depth=6, total=50_000)


class ClaimError(FedopsError):
    """A claim cannot be read; the message says what is wrong with it."""


@dataclass(frozen=True)
class Kind:
    """What a value is to be."""

    words: str
    fits: t.Callable[[t.Any], bool]
    needed: bool = False


def _is_count(value: t.Any) -> bool:
    return is_whole(value) and 0 <= value < _LARGEST


def _is_span(value: t.Any) -> bool:
    return is_finite_number(value) and 0 <= value < _LONGEST


def _is_number_or_nothing(value: t.Any) -> bool:
    return value is None or is_finite_number(value)


def _is_text(value: t.Any) -> bool:
    return isinstance(value, str)


def _are_sites(value: t.Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and _is_text(one.get("site")) for one in value)


def _are_texts(value: t.Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _has(**kinds: t.Callable[[t.Any], bool]) -> t.Callable[[t.Any], bool]:
    return lambda value: isinstance(value, dict) and all(fits(value.get(key)) for key, fits in kinds.items())


_NAME, _TEXT = Kind("a text", _is_text, needed=True), Kind("a text", _is_text)
_COUNT, _NUMBER = Kind("a whole number of at least 0", _is_count), Kind("a number", is_finite_number)
_FLAG, _TABLE = Kind("true or false", lambda value: isinstance(value, bool)), Kind("an object", _has())
_STOPPED = Kind("an object with a best_round, a whole number", _has(best_round=_is_count))
_PRIVATE = Kind("an object with an epsilon, a number or null", _has(epsilon=_is_number_or_nothing))
_SITES = Kind("a list of objects with a site each", _are_sites)

# Every value that code of ours uses. One that is missing or null is not told, unless it is needed.
_KINDS: t.Mapping[str, t.Mapping[str, Kind]] = {
    EFFECTIVE_FILE: {
        "run_id": _NAME,
        "training": _TEXT,
        "configuration_hash": _TEXT,
        "code": _TEXT,
        "code_began": _TEXT,
        "run_config": _TABLE,
        "strategy": _TABLE,
        "early_stopping": _TABLE,
        "privacy": _TABLE,
        "promises": Kind("an object with two lists of texts", _has(**{"holds": _are_texts, "not": _are_texts})),
        "process": Kind("an object with pid and ticks, whole numbers", _has(pid=_is_count, ticks=_is_count)),
        "resumed_from": Kind("an object with a file and a round", _has(file=_is_text, round=_is_count)),
    },
    RESULT_FILE: {
        "run_id": _NAME,
        "training": _TEXT,
        "configuration_hash": _TEXT,
        "code": _TEXT,
        "code_began": _TEXT,
        "rounds": _COUNT,
        "loss": _NUMBER,
        "accuracy": _NUMBER,
        "checkpoint": _TEXT,
        "sha256": _TEXT,
        "early_stopping": _STOPPED,
        "privacy": _PRIVATE,
        "exact": _FLAG,
        "deviation": Kind("an object with a round and why", _has(round=_is_count, why=_is_text)),
    },
    WAITING_FILE: {
        "run_id": _NAME,
        "round": Kind(_COUNT.words, _is_count, needed=True),
        "sites": Kind("a list of texts", _are_texts, needed=True),
    },
    FAILURE_FILE: {"run_id": _NAME, "reason": _TEXT, "message": _TEXT},
    HISTORY_FILE: {
        "run_id": _TEXT,
        "told_by": _TEXT,
        "round": Kind(_COUNT.words, _is_count, needed=True),
        "num_rounds": _COUNT,
        "configuration_hash": _TEXT,
        "code": _TEXT,
        "code_began": _TEXT,
        "time": _TEXT,
        "seconds": Kind("a number of seconds", _is_span),
        "loss": _NUMBER,
        "accuracy": _NUMBER,
        "replies": _COUNT,
        "attempts": _COUNT,
        "failures": _COUNT,
        "aggregated": _FLAG,
        "checkpoint": _TEXT,
        "checkpoint_problem": _TEXT,
        "failed": _SITES,
        "rejected": _SITES,
        "update_norm": _NUMBER,
        "early_stopping": _STOPPED,
        "privacy": _PRIVATE,
        "exact": _FLAG,
        "deviation": Kind("an object with why", _has(why=_is_text)),
        "sites": _SITES,
        "across_sites": _TABLE,
        "phases": _TABLE,
    },
}


def read_claim(folder: str, name: str, owners: Owners) -> dict[str, t.Any] | None:
    """Return one record that a ServerApp has written; None when there is none."""
    try:
        content = read_bytes(os.path.join(folder, name), OBJECT_LIMIT, owners)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ClaimError(why_unread(error)) from None
    return _sound(name, _value(content), CLAIM)


def read_history(folder: str, owners: Owners) -> tuple[list[dict[str, t.Any]], str]:
    """Return the finished rounds, as written, and what is wrong with lines that are left out; empty for nothing.

    A line that is no JSON is still being written, or was cut short by a crash: that is no news.
    """
    try:
        with regular_file(os.path.join(folder, HISTORY_FILE), None, owners) as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - HISTORY_LIMIT))
            content = stream.read(HISTORY_LIMIT)
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], why_unread(error)
    # Of a longer history, the first line is the end of one.
    return rounds_in(content.partition(b"\n")[2] if size > HISTORY_LIMIT else content)


def rounds_in(content: bytes) -> tuple[list[dict[str, t.Any]], str]:
    """Return the same of the text of a history."""
    rounds: list[dict[str, t.Any]] = []
    problems: list[str] = []
    for line in reversed(content.rsplit(b"\n", MOST_ROUNDS)[-MOST_ROUNDS:]):
        try:
            if found := round_in(line, with_sites=not rounds):
                rounds.append(found)
        except ClaimError as error:
            problems.append(str(error))
    rounds.reverse()
    problems.reverse()
    if not problems:
        return rounds, ""
    return rounds, f"{problems[0]} (in a line; {len(problems)} in all are left out)"


def round_in(line: bytes, with_sites: bool) -> dict[str, t.Any] | None:
    """Return the round that a line tells of; None for a line that tells of something else, or is not whole.

    :raises ClaimError: when a value is not of the type that is expected.
    """
    value = _line(line)
    if value is None or with_sites:
        return _sound(HISTORY_FILE, value, _WITH_SITES) if value else None
    return _without_sites(value)


def round_and_sites(line: bytes) -> tuple[dict[str, t.Any], t.Any] | None:
    """Return the same without its sites, and what is written of these: for who takes few values of it."""
    value = _line(line)
    return None if value is None else (_without_sites(value), value.get("sites"))


def _without_sites(value: dict[str, t.Any]) -> dict[str, t.Any]:
    return _sound(HISTORY_FILE, {key: item for key, item in value.items() if key not in OF_SITES}, _ROUND)


def _line(line: bytes) -> dict[str, t.Any] | None:
    if len(line) > LINE_LIMIT:
        raise ClaimError(f"it has {len(line)} bytes, but at most {LINE_LIMIT} are read")
    try:
        value = _value(line)
    except ClaimError as error:
        if str(error) == NOT_WHOLE:
            return None
        raise
    return value if isinstance(value, dict) and value.get("event") == "round_finished" else None


def replay(events: t.Iterable[dict[str, t.Any]]) -> list[dict[str, t.Any]]:
    """Return the rounds that lead to the newest model.

    A resumed run repeats the rounds after its checkpoint, and a run of another configuration starts again:
    a round that is finished once more undoes itself and all that came after it.
    """
    history: list[dict[str, t.Any]] = []
    for event in events:
        if history and event.get("configuration_hash") != history[-1].get("configuration_hash"):
            history = []
        while history and history[-1]["round"] >= event["round"]:  # the rounds of a history only grow
            history.pop()
        history.append(event)
    return history


def _value(content: bytes) -> t.Any:
    try:
        return loads(content.decode("utf-8", "replace"))
    except ValueError as error:
        raise ClaimError(str(error) if str(error) == TOO_DEEP else NOT_WHOLE) from None


def _sound(name: str, value: t.Any, bounds: Bounds) -> dict[str, t.Any]:
    """Return what a claim says, every value of it of the type that is expected."""
    if not isinstance(value, dict):
        raise ClaimError(f"it is {_called(value)} but must be an object")
    value = harmless_value(value, bounds)
    for key, kind in _KINDS[name].items():
        found = value.get(key)
        if (found is not None or kind.needed) and not kind.fits(found):
            raise ClaimError(f"{key} is {_called(found)} but must be {kind.words}")
    return value


def _called(value: t.Any) -> str:
    """Return what a value is."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "another number" if is_finite_number(value) else "no number"
    names: dict[type, str] = {str: "a text", dict: "an object", list: "a list"}
    return names.get(type(value), "something else")
