# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in units of systemd, in nginx's configuration and in environment files, so that each arrives as it was given.

What the reader of the file has no way to take is refused, and never left out or changed.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re

from .errors import FedopsError
from .notation import show, to_toml

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Paths stand in lists that are split at blanks and colons, in values that are unquoted and in some that are not.
_PATH = re.compile(r"/[^\s\"'\\$:]*")
_LONGEST_PATH = 4095  # bytes, as the kernel allows


class EscapeError(FedopsError):
    """A value that the reader of a file cannot be given; the message names the value and the rule."""


def unit_environment(name: str, value: object) -> str:
    """Return an assignment for C(Environment=) of systemd."""
    assignment = f"{_variable(name)}={_text(value, f'The value of {name}', allowed=chr(9) + chr(10))}"
    return _quoted(assignment).replace("%", "%%")


def unit_argument(value: object) -> str:
    """Return an argument of a command for C(ExecStart=) of systemd."""
    return _quoted(_text(value, "An argument", allowed="\t\n")).replace("%", "%%").replace("$", "$$")


def unit_path(value: object) -> str:
    """Return an absolute path for any directive of systemd: alone, in a list, or as an argument of a command."""
    return path(value).replace("%", "%%")


def unit_text(value: object) -> str:
    """Return the rest of a line for a directive of systemd that takes text, such as C(Description=)."""
    text = _text(value, "A text of a unit").strip()
    if text.endswith("\\"):
        raise EscapeError(f"A text of a unit is {show(value)} but must not end with a backslash, which joins lines.")
    return text.replace("%", "%%")


def nginx_value(value: object) -> str:
    """Return a parameter of a directive of nginx."""
    text = _text(value, "A value for nginx")
    if "$" in text:
        raise EscapeError(f"A value for nginx is {show(value)} but must not have '$', which begins a variable there.")
    return _quoted(text)


def environment_line(name: str, value: object) -> str:
    """Return a line for a file that C(EnvironmentFile=) of systemd or a shell reads."""
    text = _text(value, f"The value of {name}", allowed="\t\n")
    return f'{_variable(name)}="' + re.sub(r'(["\\`$])', r"\\\1", text) + '"'


def toml_value(value: object) -> str:
    """Return a text, a number or a boolean as TOML."""
    if isinstance(value, str):
        _text(value, "A value for TOML", allowed="".join(map(chr, (*range(32), 127))))
    return to_toml(value)


def path(value: object) -> str:
    """Return an absolute path that every reader of a file takes for one path."""
    text = _text(value, "A path")
    if not _PATH.fullmatch(text) or ".." in text.split("/") or len(text.encode()) > _LONGEST_PATH:
        rule = "must be an absolute path without blanks, quotes, '$', ':', '\\' and '..'"
        raise EscapeError(f"A path is {show(value)} but {rule}.")
    return text


def _quoted(text: str) -> str:
    for letter, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
        text = text.replace(letter, escaped)
    return f'"{text}"'


def _variable(name: str) -> str:
    if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
        rule = "must be letters, digits and '_', the first no digit"
        raise EscapeError(f"The name of an environment variable is {show(name)} but {rule}.")
    return str(name)


def _text(value: object, what: str, allowed: str = "") -> str:
    """Return a value as text of which every letter is one that files of text can hold."""
    text = str(value)
    bad = next((letter for letter in text if letter not in allowed and not _is_character(ord(letter))), None)
    if bad is not None:
        name = {"\n": "a newline", "\r": "a carriage return", "\t": "a tab"}.get(bad, f"the character {ord(bad):#04x}")
        raise EscapeError(f"{what} is {show(value)} but must not have {name}.")
    return text


def _is_character(code: int) -> bool:
    """Tell whether systemd takes it: no control character, no half of a pair, and no code that is never one."""
    return not (
        code < 0x20 or code == 0x7F or 0xD800 <= code < 0xE000 or 0xFDD0 <= code < 0xFDF0 or code & 0xFFFE == 0xFFFE
    )
