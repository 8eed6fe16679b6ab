# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a command that may say anything, and any amount of it: what it says is bounded while it is read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import time
import typing as t
from dataclasses import dataclass

_PIECE = 1 << 16
_MOST = 1 << 25  # bytes of an answer in JSON
_TEXT = 3900  # bytes of each text in it
LOG = 1 << 20  # bytes of the end of a log
ERRORS = 1 << 16  # bytes of the beginning of what went wrong

_INSIDE = re.compile(rb'(?:[^"\\]+|\\.)*', re.S)
_WHOLE = re.compile(rb'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*', re.S)


class Keeper(t.Protocol):
    """Takes what a command says piece by piece, and keeps so much of it."""

    def take(self, piece: bytes) -> None: ...

    def kept(self) -> bytes: ...


class Head:
    """Keeps the beginning."""

    def __init__(self, most: int = ERRORS) -> None:
        self._most, self._bytes = most, bytearray()

    def take(self, piece: bytes) -> None:
        self._bytes += piece[: self._most - len(self._bytes)]

    def kept(self) -> bytes:
        return bytes(self._bytes)


class Tail:
    """Keeps the end."""

    def __init__(self, most: int = LOG) -> None:
        self._most, self._bytes = most, bytearray()

    def take(self, piece: bytes) -> None:
        self._bytes += piece
        if len(self._bytes) > 2 * self._most:
            del self._bytes[: -self._most]

    def kept(self) -> bytes:
        return bytes(self._bytes[-self._most :])


class ShortTexts:
    """Keeps JSON whole, but only the beginning of each text in it, with how much is missing.

    What is too large even so ends too early, and is no JSON any more.
    """

    def __init__(self, text: int = _TEXT, most: int = _MOST) -> None:
        self._text, self._most = text, most
        self._bytes, self._rest = bytearray(), b""
        self._inside: bytearray | None = None  # the text that is being taken
        self._length = 0  # all of it

    def take(self, piece: bytes) -> None:
        piece, self._rest = self._rest + piece, b""
        at = 0
        while at < len(piece) and len(self._bytes) <= self._most:
            if self._inside is None:
                start = piece.find(b'"', at)
                self._bytes += piece[at:] if start < 0 else piece[at : start + 1]
                at = len(piece) if start < 0 else start + 1
                self._inside, self._length = None if start < 0 else bytearray(), 0
                continue
            end = t.cast("re.Match[bytes]", _INSIDE.match(piece, at)).end()
            self._inside += piece[at : min(end, at + self._text - len(self._inside))]
            self._length += end - at
            if end == len(piece):
                return
            if piece[end : end + 1] != b'"':
                self._rest = piece[end:]  # the first half of an escape
                return
            self._close()
            self._bytes += b'"'
            at = end + 1

    def kept(self) -> bytes:
        self._close()
        return bytes(self._bytes[: self._most])

    def _close(self) -> None:
        """Keep of a text what ends with a whole character."""
        if self._inside is not None:
            whole = t.cast("re.Match[bytes]", _WHOLE.match(self._inside)).group()
            more = self._length - len(whole)
            self._bytes += whole + (f" ... ({more} more bytes)".encode() if more else b"")
            self._inside = None


@dataclass(frozen=True)
class Done:
    """What a command has come to."""

    returncode: int
    stdout: str
    stderr: str


def run(
    command: t.Sequence[str], timeout: float, said: Keeper | None = None, went_wrong: Keeper | None = None, **how: t.Any
) -> Done:
    """Run a command to its end; raise C(subprocess.TimeoutExpired) when that does not come in time."""
    keepers = said or Head(), went_wrong or Head()
    end = time.monotonic() + timeout
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **{**pipes, **how}) as process:
        try:
            streams = t.cast("t.IO[bytes]", process.stdout), t.cast("t.IO[bytes]", process.stderr)
            collect([stream.fileno() for stream in streams], keepers, end)
            returncode = process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise subprocess.TimeoutExpired(command, timeout) from None
        finally:
            if process.poll() is None:
                process.kill()
    return Done(returncode, *(keeper.kept().decode("utf-8", "replace") for keeper in keepers))


def collect(descriptors: t.Iterable[int], keepers: t.Iterable[Keeper], end: float) -> None:
    """Have keepers take what comes through pipes, until these end; the time that is left is by the monotonic clock."""
    with selectors.DefaultSelector() as selector:
        for descriptor, keeper in zip(descriptors, keepers):
            selector.register(descriptor, selectors.EVENT_READ, keeper)
        while selector.get_map():
            left = end - time.monotonic()
            if left <= 0:
                raise subprocess.TimeoutExpired("", 0)
            for key, _events in selector.select(left):
                piece = os.read(key.fd, _PIECE)
                if piece:
                    key.data.take(piece)
                else:
                    selector.unregister(key.fd)
