# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of ClientApps, and the one that they are forked from, as the SuperExec sees them."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from .start import CLIENTAPP, WARM, at_home, keep_token, program
from .tidying import bounds, remove

ANSWER = 5.0  # seconds for a fork


class ClientApp:
    """The process of one ClientApp, with a home that is its own."""

    def __init__(self, command: list[str], token: str, environment: dict[str, str], tells: Iterable[int] = ()) -> None:
        """Start it; ``tells`` are the descriptors that it gets."""
        home = tempfile.mkdtemp(prefix="flower-app-")
        self.process = subprocess.Popen(
            [*command, "--token-file", keep_token(home, token)],
            cwd=home,
            env={**environment, **at_home(home)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=tuple(tells),
        )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)


class Warm:
    """The process that ClientApps of one FAB are forked from, as the SuperExec sees it."""

    def __init__(self, fab_hash: str, imports: Iterable[str], environment: dict[str, str]) -> None:
        self.fab_hash = fab_hash
        self.used = time.monotonic()
        # Libraries may remember their user's home: it is the same for all that are forked, and each finds it empty.
        self._home = tempfile.mkdtemp(prefix="flower-app-")
        self._channel, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*program(CLIENTAPP)[:-1], WARM, str(theirs.fileno()), *imports],
                cwd="/",
                env={**environment, **at_home(self._home)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        self.is_ready = False
        self._read = b""
        self._bounds: tuple[object, ...] | None = None

    def told(self, seconds: float) -> dict[str, Any]:
        """Return what it says next; nothing when it says nothing in time, or is gone."""
        end = time.monotonic() + seconds
        while b"\n" not in self._read:
            if not select.select([self._channel], [], [], max(0.0, end - time.monotonic()))[0]:
                return {}
            try:
                part = self._channel.recv(4096)
            except OSError:
                part = b""
            if not part:
                return {"ended": True}
            self._read += part
        line, _newline, self._read = self._read.partition(b"\n")
        return dict(json.loads(line))

    def doubt(self, seconds: float) -> str:
        """Wait for its imports, but not for longer; say what speaks against forking it."""
        if not self.is_ready:
            told = self.told(seconds)
            self.is_ready = "ready" in told
            return "" if self.is_ready else str(told.get("doubt") or "its imports do not come to an end")
        return ""

    @property
    def is_there(self) -> bool:
        """Tell whether it is there, as no app has changed it."""
        return self.process.poll() is None and self._bounds in (None, bounds(self.process.pid))

    def start(self, command: list[str], token: str) -> Forked | None:
        """Start a ClientApp; return nothing when it does not."""
        with suppress(OSError):
            self._bounds = self._bounds or bounds(self.process.pid)
            remove(self._home)
            os.mkdir(self._home, 0o700)
            arguments = [*command, "--parent-pid", str(self.process.pid), "--token-file", keep_token(self._home, token)]
            self._channel.sendall((json.dumps({"arguments": arguments, "home": self._home}) + "\n").encode())
            if "pid" in self.told(ANSWER):
                self.used = time.monotonic()
                return Forked(self)
        return None


class Forked:
    """A ClientApp that was forked."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        self.wait(0)
        return self._has_ended

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        if not self._has_ended:
            self._has_ended = "ended" in self._warm.told(seconds)
            self._warm.used = time.monotonic()
