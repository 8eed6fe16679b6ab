# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flower's command line, loaded once for several calls: to load it takes longer than what most of them do.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import typing as t
from contextlib import suppress

from .._base.bounded import Done, Head, Keeper, collect

_LOADING = 60  # seconds
_PACKET = 64  # bytes


class WarmFlwr:
    """The launcher of a host, as C(serve) of it answers: each call is a fork of it.

    It is not ready where a release has deployed the host whose launcher does not know C(serve), nor when it has ended.
    """

    def __init__(self, executable: str, how: t.Mapping[str, t.Any]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        silent: dict[str, t.Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [executable, "serve"], stdin=theirs.fileno(), start_new_session=True, **silent, **how
                )
            except OSError:
                self._socket.close()
                raise
        self._serves = self._answer(_LOADING) == b"ready"

    @property
    def is_ready(self) -> bool:
        return self._serves and self._process.poll() is None

    def run(self, words: t.Sequence[str], timeout: float, said: Keeper) -> Done:
        """Do as the command line does; raise C(subprocess.TimeoutExpired) when that takes too long."""
        end = time.monotonic() + timeout
        keepers = said, Head()
        pipes = os.pipe(), os.pipe()
        try:
            try:
                socket.send_fds(self._socket, [json.dumps(words).encode()], [writing for _reading, writing in pipes])
            finally:
                for _reading, writing in pipes:
                    os.close(writing)
            collect([reading for reading, _writing in pipes], keepers, end)
            answer = self._answer(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            answer = b""
        finally:
            for reading, _writing in pipes:
                os.close(reading)
        if not answer:  # it may still be at work
            self._kill()
            raise subprocess.TimeoutExpired(list(words), timeout)
        return Done(int(answer), *(keeper.kept().decode("utf-8", "replace") for keeper in keepers))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._kill()

    def _answer(self, seconds: float) -> bytes:
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(_PACKET)
        except OSError:
            return b""

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
