# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rclone, which does the copying, the retries and the checks of the mirror.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tempfile
import typing as t

from .._base.bounded import Done, Tail, run
from .._base.errors import FedopsError
from .._base.jsonable import harmless
from .._checkpoint.manifest import CheckpointError
from .rules import Listing, listing

RCLONE = "/usr/bin/rclone"
LISTING_LIMIT = 64 << 20  # bytes
_CHUNK = 1 << 20
_LONGEST = 7 * 86400.0  # seconds; rclone gives up long before
_SAID = 1 << 16  # bytes of the end of what it says of errors; the last line sums up
_NOT_FOUND = 3  # of a folder and of a bucket alike
# An outage is to be noticed soon: whoever calls has patience of its own, and tries again.
_OPTIONS = (
    *("--contimeout", "10s", "--timeout", "60s"),
    *("--retries", "2", "--retries-sleep", "2s", "--low-level-retries", "3"),
    "--s3-no-check-bucket",  # a bucket is never made by mistake
)


class RcloneError(FedopsError):
    """rclone has failed; the message says why, in its own words, which may be those of the bucket's server."""

    def __init__(self, text: str) -> None:
        super().__init__(harmless(text))


class TooLargeError(CheckpointError):
    """Something in the mirror is larger than it can be."""


class Rclone:
    """A folder in a bucket, reached through rclone. What rclone has to know is in its environment, the keys too."""

    def __init__(self, base: str, environment: t.Mapping[str, str] | None = None, executable: str = RCLONE) -> None:
        self.base = base
        self._environment = {**os.environ, **(environment or {})}
        self._command = [executable, "--config", "", *_OPTIONS]

    def list(self) -> Listing:
        """Return what lies in the folders; none when there is nothing yet."""
        text = io.BytesIO()
        options = ("--recursive", "--max-depth", "2", "--no-modtime", "--no-mimetype")
        returned, errors = self._pour("lsjson", *options, self.base, target=text, limit=LISTING_LIMIT)
        if returned == _NOT_FOUND:
            bucket = self.base.partition("/")[0]
            if self._run("lsjson", "--dirs-only", bucket).returncode == _NOT_FOUND:
                raise RcloneError(f"the bucket {bucket.partition(':')[2]} does not exist")
            return {}
        if returned:
            raise RcloneError(reason(errors))
        try:
            return listing(json.loads(text.getvalue()))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RcloneError("the list of what it holds cannot be read") from None

    def upload(self, directory: str, name: str, folder: str) -> None:
        """Copy one file, and have rclone compare what has arrived."""
        self._checked(
            self._run("copy", "--checksum", "--files-from-raw", "-", directory, self._at(folder), names=[name])
        )

    def download(self, folder: str, name: str, target: t.IO[bytes], limit: int) -> None:
        """Write a file of the mirror to an open one; TooLargeError when it has more than so many bytes."""
        returned, errors = self._pour("cat", self._at(folder, name), target=target, limit=limit)
        if returned:
            raise RcloneError(reason(errors))

    def move(self, folder: str, target: str, names: t.Sequence[str]) -> None:
        self._checked(self._run("move", "--files-from-raw", "-", self._at(folder), self._at(target), names=names))

    def delete(self, folder: str, names: t.Sequence[str]) -> None:
        self._checked(self._run("delete", "--files-from-raw", "-", self._at(folder), names=names))

    def _at(self, *parts: str) -> str:
        return "/".join((self.base, *parts))

    def _pour(self, *arguments: str, target: t.IO[bytes], limit: int) -> tuple[int, str]:
        """Have rclone write to an open file, as far as the limit; return its status and what it says of errors."""
        command = [*self._command, *arguments]
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=self._environment,
                )
            except OSError as error:
                raise RcloneError(f"{command[0]} cannot be started: {error.strerror}") from error
            with process:
                source, left = t.cast("t.IO[bytes]", process.stdout), limit
                while chunk := source.read(min(_CHUNK, left + 1)):
                    if len(chunk) > left:
                        process.kill()
                        raise TooLargeError(f"{arguments[-1]} has more than the {limit} bytes that it can have.")
                    target.write(chunk)
                    left -= len(chunk)
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _SAID))
            return process.returncode, errors.read(_SAID).decode("utf-8", "replace")

    def _run(self, *arguments: str, names: t.Sequence[str] = ()) -> Done:
        """Have rclone do something with these files; what it says is bounded, however much that is."""
        command = [*self._command, *arguments]
        with tempfile.TemporaryFile() as listed:
            listed.write("".join(f"{name}\n" for name in names).encode())
            listed.seek(0)
            try:
                return run(command, _LONGEST, went_wrong=Tail(_SAID), stdin=listed, env=self._environment)
            except subprocess.TimeoutExpired:
                raise RcloneError("it has not ended within a week") from None
            except OSError as error:
                raise RcloneError(f"{command[0]} cannot be started: {error.strerror}") from error

    @staticmethod
    def _checked(done: Done) -> None:
        if done.returncode:
            raise RcloneError(reason(done.stderr))


def read_environment(path: str) -> dict[str, str]:
    """Return what is in a file that systemd and a shell read as well: NAME='value' or NAME="value", one a line."""
    found = {}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            name, is_one, value = line.strip().partition("=")
            if is_one and not name.startswith("#"):
                found[name] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    if value[:1] == "'":
        return value[1:-1]
    return re.sub(r'\\(["\\`$])', r"\1", value[1:-1]) if value[:1] == '"' else value


def reason(errors: str) -> str:
    """Return the last thing that rclone says, which sums up, without the time before it and the ids of the server."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    while len(lines) > 1 and lines[-1].startswith("status code:"):
        lines.pop()
    text = lines[-1] if lines else "rclone has failed without a word"
    if text.startswith("caused by: "):
        return text[len("caused by: ") :]
    date, dummy, rest = text.partition(" ")
    return rest.partition(" ")[2] if date.count("/") == 2 else text
