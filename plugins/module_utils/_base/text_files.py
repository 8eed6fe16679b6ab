# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having text files anywhere on a host as they should be, whoever may have put something in their place.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tempfile
import typing as t
from dataclasses import dataclass

from . import guarded
from .errors import FedopsError

MOST_TEXT = 1 << 20  # bytes; far more than any file of ours
NOT_SHOWN = "(something else, which is not shown)\n"

# Runs a command and returns its exit status, its output and its errors.
RunCommand = t.Callable[[str], tuple[int, str, str]]


class TextFileError(FedopsError):
    """A file cannot be as asked; the message says which, and why."""


@dataclass(frozen=True)
class TextFile:
    """A text file as wanted. C(validate) is a command that judges it before it takes its place, as C(%s)."""

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    validate: str | None = None

    def write(self, run: RunCommand, check_mode: bool, diff: list[dict[str, str]]) -> bool:
        """Have the file as wanted, and tell whether that changed anything; in check mode, whether it would."""
        owners = _number(pwd.getpwnam, self.owner, check_mode), _number(grp.getgrnam, self.group, check_mode)
        mode = int(self.mode, 8)
        before, attributes = _found(self.path, owners[0]) or ("", None)
        if (before, attributes) == (self.content, (*owners, mode)):
            return False
        if before != self.content:
            diff.append(
                {"before_header": self.path, "after_header": self.path, "before": before, "after": self.content}
            )
        if not check_mode:
            if before != self.content and self.validate:
                self._judge(run, self.validate)
            _make_directories(os.path.dirname(os.path.abspath(self.path)))
            # Both have a number, but in check mode.
            guarded.write_bytes(self.path, self.content.encode(), mode, t.cast("tuple[int, int]", owners))
        return True

    def _judge(self, run: RunCommand, validate: str) -> None:
        """Have a command judge the text before it takes its place."""
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as stream:
            stream.write(self.content)
            stream.flush()
            code, said, complained = run(validate.replace("%s", stream.name))
        if code != 0:
            raise TextFileError(f"{self.path} is refused by '{validate}': {(complained or said).strip()}")


def _found(path: str, owner: int | None) -> tuple[str, tuple[int, int, int] | None] | None:
    """Return the text of a file with its owner, group and mode; None when there is none.

    What is no file of that owner or of root is not read, and has no attributes.
    """
    if guarded.status(os.path.dirname(os.path.abspath(path))) is None:
        return None
    owners = {guarded.ROOT, os.geteuid(), *([] if owner is None else [owner])}
    try:
        with guarded.regular_file(path, MOST_TEXT, owners) as stream:
            found = os.fstat(stream.fileno())
            text = stream.read(MOST_TEXT).decode("utf-8", "replace")
            return text, (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))
    except FileNotFoundError:
        return None
    except guarded.UnsafeFileError as error:
        there = guarded.status(path)
        if error.filename != path or there is None or stat.S_ISDIR(there.st_mode):
            raise
        return NOT_SHOWN, None


def _number(look_up: t.Callable[[str], t.Any], name: str, check_mode: bool) -> int | None:
    """Return the number of a user or group; None in check mode, when there is none yet."""
    try:
        return int(name) if name.isdecimal() else look_up(name)[2]
    except KeyError:
        if check_mode:
            return None
        raise TextFileError(f"'{name}' is no user or group of this host.") from None


def _make_directories(path: str) -> None:
    """Make a directory with those above it that are missing."""
    if guarded.status(path) is None:
        _make_directories(os.path.dirname(path))
        guarded.make_directory(path, 0o755, guarded.us())
