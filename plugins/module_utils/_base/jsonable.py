# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text and values that can only be read, whoever wrote them.

``plain`` is for what we write ourselves: it replaces what JSON and UTF-8 do not have. ``harmless`` and
``harmless_value`` are for what a site, an app, Flower or a host has written: nothing in it reaches a terminal that a
terminal would act on, and it is bounded.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import typing as t
from dataclasses import dataclass

LINE_OF_TEXT = 2000  # characters of a text that is one line
PAGE = 20000  # characters of a text of many lines
MOST_VALUES = 1 << 22  # of one JSON text; a manifest of ours has fewer, were it as long as any that is read
MARK = "..."  # stands where something was cut off

# Everything that a terminal acts on, that has no width, or that turns other text round: the categories Cc, Cf, Cs, Zl
# and Zp of Unicode, and what it calls ignorable by default.
_ENDS_OF_LINES = "\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_OTHERS = (
    "\x00-\x09\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)
_IN_A_LINE = re.compile(f"\r\n|[\r{_ENDS_OF_LINES}{_OTHERS}]")
_IN_A_PAGE = re.compile(f"\r\n|[\r{_ENDS_OF_LINES[1:]}{_OTHERS}]")
_AN_END = re.compile(f"[\r{_ENDS_OF_LINES}]")
_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]")  # colours and the like


@dataclass(frozen=True)
class Bounds:
    """How much of a value is kept."""

    text: int = LINE_OF_TEXT  # characters of each text
    key: int = 200  # characters of each key
    items: int = 1000  # of each list or object
    depth: int = 16
    total: int = 20000  # values in all
    multiline: bool = False  # whether texts may have lines


ONE_RECORD = Bounds()
CLAIM = Bounds(text=20000, items=2000, depth=8)  # what a ServerApp tells of its training
_LARGEST = 128  # bits of a whole number; more would not even fit a float


def harmless(text: str | bytes, limit: int = LINE_OF_TEXT, multiline: bool = False) -> str:
    """Return a foreign text as one line, or with C(multiline) as lines, that nothing but a reader acts on.

    What a terminal would act on is written as Python would escape it. An end of a line is a space in a single line. A
    text that is too long says at its end how much is missing.
    """
    if isinstance(text, bytes):
        text = text[: 4 * limit + 4].decode("utf-8", "backslashreplace") + "?" * max(0, len(text) - 4 * limit - 4)
    bad = _IN_A_PAGE if multiline else _IN_A_LINE
    if len(text) <= limit and bad.search(text) is None:
        return text
    end = "\n" if multiline else " "
    head = bad.sub(lambda found: _written(found.group(), end), text[:limit])
    return _cut(head, len(text) - len(text[:limit]), limit)


def without_colours(text: str) -> str:
    """Return a text without the sequences that colour it, which are of no use to anybody who reads it elsewhere."""
    return _SEQUENCE.sub("", text) if "\x1b" in text or "\x9b" in text else text


def harmless_value(value: t.Any, bounds: Bounds = ONE_RECORD) -> t.Any:
    """Return a value of JSON whose texts are harmless, and of which there is only so much.

    Numbers that JSON does not have, and those that are absurdly large, are null. C("...") stands for what is too deep,
    and is the key or the last text of what has too many items.
    """
    left = [bounds.total]
    kept = _kept(value, bounds, bounds.depth, left)
    if left[0] < 0 and isinstance(kept, dict):
        kept = dict(list(kept.items())[: bounds.items - 1])
        kept[MARK] = "more than can be shown"
    return kept


def has_too_many(text: bytes) -> bool:
    """Tell whether a JSON text may hold more values than a record of ours, before any memory is taken for them.

    An empty object takes 24 times as much memory as text.
    """
    return sum(map(text.count, (b",", b"[", b"{"))) > MOST_VALUES


def loads(text: str | bytes) -> t.Any:
    """Return the value in a JSON text; whatever is wrong with it is a ValueError."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is too deep") from None


def canonical_hash(value: t.Any) -> str:
    """Return the SHA-256 of a value of JSON, whatever the order of its keys or the blanks between them."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def is_whole(value: object) -> t.TypeGuard[int]:
    """Tell whether a value of JSON is a whole number. To Python, true and false are numbers, too."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> t.TypeGuard[float]:
    """Tell whether a value of JSON is a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite_number(value: object) -> t.TypeGuard[float]:
    """Tell whether a value of JSON is a number that a float holds: a whole one may have thousands of digits."""
    try:
        return is_number(value) and math.isfinite(value)
    except OverflowError:
        return False


def plain(value: t.Any) -> t.Any:
    """Return a value with null for numbers that JSON has not, and a mark for characters that UTF-8 has not.

    Such numbers are NaN and the infinite ones; such characters are halves of a pair, as in the name of a file that is
    no text.
    """
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def plain_text(text: str, encoding: str = "utf-8") -> str:
    """Return a text without what an encoding cannot hold."""
    return text if text.isascii() else text.encode(encoding, "replace").decode(encoding)


def _written(found: str, end: str) -> str:
    """Return how something that a terminal acts on is written."""
    if found == "\t":
        return " "
    if found == "\r\n" or _AN_END.match(found):
        return end
    code = ord(found)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _cut(head: str, more: int, limit: int) -> str:
    """Return a text that is at most so long, with how much is missing."""
    if not more and len(head) <= limit:
        return head
    # The number is longer, the more is missing; it is as long as that of the whole at most.
    room = max(0, limit - len(f" {MARK} ({len(head) + more} more characters)"))
    return f"{head[:room]} {MARK} ({len(head) + more - room} more characters)"[:limit]


def _kept(value: t.Any, bounds: Bounds, depth: int, left: list[int]) -> t.Any:
    left[0] -= 1
    if isinstance(value, str):
        return harmless(value, bounds.text, bounds.multiline)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _LARGEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return _kept_dict(value, bounds, depth, left) if depth > 0 else MARK
    if isinstance(value, (list, tuple, set, frozenset)):
        return _kept_list(value, bounds, depth, left) if depth > 0 else MARK
    return harmless(str(value), bounds.text, bounds.multiline)


def _kept_dict(value: dict[t.Any, t.Any], bounds: Bounds, depth: int, left: list[int]) -> dict[t.Any, t.Any]:
    kept: dict[t.Any, t.Any] = {}
    for number, (key, item) in enumerate(value.items()):
        if left[0] <= 0:
            left[0] = -1
            break
        if number >= bounds.items - 1 and len(value) > bounds.items:
            kept[MARK] = f"{len(value) - number} more"
            left[0] -= 1
            break
        kept[harmless(key, bounds.key) if isinstance(key, str) else key] = _kept(item, bounds, depth - 1, left)
    return kept


def _kept_list(value: t.Collection[t.Any], bounds: Bounds, depth: int, left: list[int]) -> list[t.Any]:
    kept: list[t.Any] = []
    for number, item in enumerate(value):
        if left[0] <= 0:
            left[0] = -1
            break
        if number >= bounds.items - 1 and len(value) > bounds.items:
            if isinstance(item, str):  # who reads a list expects its items to be of one kind
                kept.append(f"{MARK} ({len(value) - number} more)")
                left[0] -= 1
            break
        kept.append(_kept(item, bounds, depth - 1, left))
    return kept
