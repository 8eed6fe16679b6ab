# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealing an archive with age, on the host where its secrets were born.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import typing as t
from contextlib import contextmanager, suppress

from .._base.errors import FedopsError

# What seals an archive, and what sealed those of earlier releases: the controller opens those, with ansible-core.
AGE, VAULT = "age", "vault"
METHODS = (AGE, VAULT)


class SealError(FedopsError):
    """An archive cannot be sealed or opened; the message says why and what to do."""


class Seal(t.NamedTuple):
    """Whom an archive is sealed for, or what opens it. Only what the step at hand needs is there."""

    recipients: t.Sequence[str] = ()
    identity: str = ""
    opened: str = ""  # a file with the archive in plain text, which the controller has opened

    @contextmanager
    def writing(self, path: str) -> t.Iterator[t.IO[bytes]]:
        """Give a stream; what is written to it lies sealed in the file when all went well, and nowhere otherwise."""
        if not self.recipients:
            raise SealError("recipients is empty, but age seals for at least one. Nothing is kept in plain text.")
        command = ["age", "--encrypt"]
        for recipient in self.recipients:
            command += ["--recipient", recipient]
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".sealing-")
        try:
            with open(descriptor, "wb") as target:
                with _age(command, target) as process:
                    content, said = _pipe(process.stdin), _pipe(process.stderr)
                    with suppress(BrokenPipeError):  # it has refused a recipient, and says so
                        yield content
                        content.close()
                    errors = said.read()
                if process.returncode:
                    raise SealError(f"age cannot seal the archive: {_first_line(errors)}.")
                os.fsync(target.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    @contextmanager
    def reading(self, path: str) -> t.Iterator[t.IO[bytes]]:
        """Give the stream that was sealed. Trust it only when the block has ended: a cut is seen at the end."""
        if self.opened:
            with open(self.opened, "rb") as stream:
                yield stream
            return
        if not self.identity:
            raise SealError("identity is empty, but age opens an archive with a private key.")
        with _age(["age", "--decrypt", "--identity", "-", path], subprocess.PIPE) as process:
            question, answer, said = _pipe(process.stdin), _pipe(process.stdout), _pipe(process.stderr)
            with suppress(BrokenPipeError):
                question.write(self.identity.encode() + b"\n")
                question.close()
            try:
                yield answer
                _drain(answer)  # what a reader left: the verdict comes after all of it
            except Exception as error:
                # Of what is no archive age knows better why, once it could say all of it.
                _drain(answer)
                if process.wait():
                    raise SealError(f"{path} cannot be opened: {_first_line(said.read())}.") from error
                raise
            errors = said.read()
        if process.returncode:
            raise SealError(f"{path} cannot be opened: {_first_line(errors)}.")


def _age(command: list[str], stdout: t.IO[bytes] | int) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE)
    except OSError as error:
        raise SealError(f"age cannot be started: {error.strerror}. Install the package age.") from error


def _pipe(stream: t.IO[bytes] | None) -> t.IO[bytes]:
    """Return one of the ends that C(_age) has asked for: those are there."""
    return t.cast("t.IO[bytes]", stream)


def _drain(stream: t.IO[bytes]) -> None:
    for dummy in iter(lambda: stream.read(1 << 20), b""):
        pass


def _first_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines() or ["it has failed without a word"]
    return lines[0].replace("age: error: ", "").rstrip(".")
