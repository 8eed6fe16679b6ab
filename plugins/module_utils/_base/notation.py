# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a value is written: for a person, on one line, and as TOML; and whether there is one at all.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import json
import math
import typing as t
from contextlib import suppress

# Of a training, as a pattern: the name of a folder and of a unit, too.
NAME_OF_TRAINING = "[a-z0-9][a-z0-9-]{0,62}"
_SHOWN_CHARACTERS = 60


def is_unset(value: object) -> bool:
    """Nothing, an empty answer and blanks all mean: use the default."""
    return value is None or (isinstance(value, str) and not value.strip())


def as_list(value: object) -> t.Sequence[t.Any]:
    """Return the entries of a list, which may be text with commas, as surveys make it; one value is a list of it."""
    if is_unset(value):
        return []
    if isinstance(value, str):
        return [entry.strip() for entry in value.split(",")]
    return value if isinstance(value, t.Sequence) else [value]


def is_plain(value: object) -> bool:
    """Whether JSON can carry the value as it is."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return value.bit_length() < 64
    return value is None or (isinstance(value, str) and value.isprintable())


def show(value: object) -> str:
    """A value as a person would write it in YAML, on one line and never long."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    try:
        text = repr(str(value)) if isinstance(value, str) else repr(value)
    except Exception:  # whatever a foreign object's repr raises, the message about it must still be written
        text = f"a value of type {type(value).__name__}"
    text = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def counted(number: int, noun: str) -> str:
    """So many of something whose plural ends with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short_hash(digest: str | None) -> str:
    """As much of a hash as a person compares."""
    return digest[:8] if digest else "unknown"


def to_toml(value: object) -> str:
    """A value of a training variable as TOML, of the type that Flower compares with the app's default."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + "".join(_escape(letter) for letter in str(value)) + '"'


def quoted(key: str) -> str:
    """A key of TOML, of which parts that are joined with a dot lie in one another."""
    bare = key.isascii() and all(part.replace("-", "").replace("_", "").isalnum() for part in key.split("."))
    return key if bare else to_toml(key)


def values_of(run_config: str) -> dict[str, t.Any]:
    """Return the values of a run configuration: text, truth and numbers are written in it as in JSON."""
    values = {}
    for line in run_config.splitlines():
        key, dummy, value = line.partition("=")
        with suppress(ValueError):
            values[key.strip()] = json.loads(value)
    return values


def _escape(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    return letter if letter.isprintable() else f"\\U{ord(letter):08X}"
