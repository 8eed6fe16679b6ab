# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rclone, which does the copying, the retries and the checks of the mirror.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import subprocess
import typing as t

from ._mirror import Listing, listing

RCLONE = "/usr/bin/rclone"
_NOT_FOUND = 3  # of a folder and of a bucket alike
# An outage is to be noticed soon: whoever calls has patience of its own, and tries again.
_OPTIONS = (
    *("--contimeout", "10s", "--timeout", "60s"),
    *("--retries", "2", "--retries-sleep", "2s", "--low-level-retries", "3"),
    "--s3-no-check-bucket",  # a bucket is never made by mistake
)


class RcloneError(Exception):
    """rclone has failed; the message says why, in its own words."""


class Rclone:
    """A folder in a bucket, reached through rclone. What rclone has to know is in its environment, the keys too."""

    def __init__(self, base: str, environment: t.Mapping[str, str] | None = None, executable: str = RCLONE) -> None:
        self.base = base
        self._environment = {**os.environ, **(environment or {})}
        self._command = [executable, "--config", "", *_OPTIONS]

    def list(self) -> Listing:
        """Return what lies in the folders; none when there is nothing yet."""
        done = self._run("lsjson", "--recursive", "--max-depth", "2", "--no-modtime", "--no-mimetype", self.base)
        if done.returncode == _NOT_FOUND:
            bucket = self.base.partition("/")[0]
            if self._run("lsjson", "--dirs-only", bucket).returncode == _NOT_FOUND:
                raise RcloneError(f"the bucket {bucket.partition(':')[2]} does not exist")
            return {}
        return listing(json.loads(self._checked(done)))

    def upload(self, directory: str, name: str, folder: str) -> None:
        """Copy one file, and have rclone compare what has arrived."""
        self._checked(
            self._run("copy", "--checksum", "--files-from-raw", "-", directory, self._at(folder), names=[name])
        )

    def download(self, folder: str, name: str, target: t.IO[bytes]) -> None:
        """Write a file of the mirror to an open one."""
        self._checked(self._run("cat", self._at(folder, name), stdout=target))

    def move(self, folder: str, target: str, names: t.Sequence[str]) -> None:
        self._checked(self._run("move", "--files-from-raw", "-", self._at(folder), self._at(target), names=names))

    def delete(self, folder: str, names: t.Sequence[str]) -> None:
        self._checked(self._run("delete", "--files-from-raw", "-", self._at(folder), names=names))

    def _at(self, *parts: str) -> str:
        return "/".join((self.base, *parts))

    def _run(
        self, *arguments: str, names: t.Sequence[str] = (), stdout: t.IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.CompletedProcess[bytes]:
        command = [*self._command, *arguments]
        try:
            return subprocess.run(
                command,
                input="".join(f"{name}\n" for name in names).encode(),
                stdout=stdout,
                stderr=subprocess.PIPE,
                env=self._environment,
                check=False,
            )
        except OSError as error:
            raise RcloneError(f"{command[0]} cannot be started: {error.strerror}") from error

    @staticmethod
    def _checked(done: subprocess.CompletedProcess[bytes]) -> bytes:
        if done.returncode:
            raise RcloneError(reason(done.stderr.decode("utf-8", "replace")))
        return done.stdout or b""


def read_environment(path: str) -> dict[str, str]:
    """Return what is in a file that systemd and a shell read as well: NAME='value', one a line."""
    found = {}
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            name, is_one, value = line.strip().partition("=")
            if is_one and not name.startswith("#"):
                found[name] = value[1:-1] if value[:1] == "'" else value
    return found


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
