# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator may ask of the alerts, before a host is touched and on it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import shlex
import stat
import typing as t

from .._base.escape import EscapeError, path, unit_argument
from .._base.home import HOME
from .._base.memory import bound_problems
from .._base.notation import show
from .._config.limits import range_problems
from .._training.sites import PSEUDONYMS, REAL

COMMAND, CREDENTIALS = "training_alert_command", "training_alert_credentials"
# What the unit of the program does not see of the host.
UNSEEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
_CREDENTIAL = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}")


def command_words(value: t.Any) -> list[str]:
    """Return the program and its arguments; a text is split as a shell does it. Empty for none.

    ValueError for what is neither.
    """
    if value is None:
        return []
    if isinstance(value, str):
        return shlex.split(value)
    if isinstance(value, (list, tuple)) and all(isinstance(word, (str, int, float)) for word in value):
        return [str(word) for word in value]
    raise ValueError("it is neither a text nor a list of texts")


def alert_problems(given: t.Mapping[str, t.Any], home: str = "") -> list[str]:
    """Return what is wrong with the variables C(training_alert_*), which C(given) has without C(training_)."""
    found = [
        *_command_problems(given.get("alert_command"), home or HOME),
        *_credential_problems(given.get("alert_credentials")),
        *range_problems({name: value for name, value in given.items() if name.startswith("alert_")}, "training_"),
    ]
    if given.get("alert_memory_max") is not None:
        found += bound_problems("training_alert_memory_max", given["alert_memory_max"])
    names = given.get("alert_names")
    if names is not None and names not in (REAL, PSEUDONYMS):
        found.append(f"training_alert_names is {show(names)} but must be {REAL} or {PSEUDONYMS}.")
    percent = given.get("alert_free_percent")
    if percent is not None and _number(percent) > 99:
        found.append(f"training_alert_free_percent is {percent} but must be at most 99.")
    return found


def alert_file_problems(
    command: t.Mapping[str, t.Any], credentials: t.Iterable[t.Mapping[str, t.Any]], host: str
) -> list[str]:
    """Return what is wrong with the files themselves, as C(ansible.builtin.stat) has found each in a loop."""
    found = []
    program, file = command.get("item"), command.get("stat") or {}
    if not file.get("isreg"):
        found.append(f"{COMMAND} is {program}, but there is no such program on {host}. Put it there first.")
    else:
        mode = int(file["mode"], 8)
        if file["uid"] != 0 or mode & (stat.S_IWGRP | stat.S_IWOTH):
            found.append(f"{COMMAND} is {program}, but others than root may write it. Give it to root, with mode 0755.")
        if not (mode & stat.S_IXOTH and mode & stat.S_IROTH):
            found.append(f"{COMMAND} is {program}, but not everybody may run it. Give it the mode 0755.")
    for row in credentials:
        place, file = row.get("item"), row.get("stat") or {}
        if not file.get("isreg"):
            found.append(f"{CREDENTIALS} has {place}, but there is no such file on {host}. Put it there first.")
        elif file["uid"] != 0 or int(file["mode"], 8) & (stat.S_IRWXG | stat.S_IRWXO):
            found.append(
                f"{CREDENTIALS} has {place}, but others than root may use it. Give it to root, with mode 0600."
            )
    return found


def _command_problems(value: t.Any, home: str) -> list[str]:
    try:
        words = command_words(value)
    except ValueError as error:
        return [f"{COMMAND} is {show(value)} but must be a program with its arguments, as a list or a text: {error}."]
    if not words:
        return []
    try:
        path(words[0])
        for word in words[1:]:
            unit_argument(word)
    except EscapeError as error:
        return [f"{COMMAND} cannot be called. {error}"]
    for place in (*UNSEEN, home):
        if words[0].startswith(f"{place}/"):
            return [
                f"{COMMAND} is {show(words[0])} but must not lie below {place}, of which its unit sees nothing."
                " Put it into /usr/local/bin."
            ]
    return []


def _credential_problems(value: t.Any) -> list[str]:
    if value is None or value == "":
        return []
    if not isinstance(value, t.Mapping):
        return [f"{CREDENTIALS} is {show(value)} but must be a dictionary of names and the paths of files on the host."]
    found = []
    for name, place in value.items():
        if not isinstance(name, str) or not _CREDENTIAL.fullmatch(name):
            found.append(
                f"{CREDENTIALS} has the name {show(name)} but must have names of letters, digits, '_', '.' and '-',"
                " the first a letter."
            )
        try:
            path(place)
        except EscapeError as error:
            found.append(f"{CREDENTIALS} has no file for {show(name)}. {error}")
    return found


def _number(value: t.Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
