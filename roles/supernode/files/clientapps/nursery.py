# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ClientApps are forked, and from what; what is left of them is ended and removed."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from typing import Any

from .imports import IMPORTS, modules
from .processes import ClientApp, Forked, Warm
from .start import CLIENTAPP, program
from .tidying import clear, end_all, end_others_than

READY = 120.0  # seconds for the imports
IDLE = 600.0  # seconds without a message after which the memory is given back


class Nursery:
    """Starts ClientApps: of a FAB that is known by now from a warm process, and all others from nothing."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._warm: Warm | None = None
        self._imports: dict[str, list[str]] = {}  # of the newest FAB, by its hash
        self._telling: tuple[str, int] | None = None  # the FAB of a ClientApp, and where that tells of it
        self._cold: set[str] = set()  # FABs whose ClientApps start from nothing

    def start(self, name: str, address: list[str], token: str, fab_hash: str | None) -> ClientApp | Forked:
        """Start a ClientApp. No other process of this user may be there, but for the warm one."""
        if self._warm and (name != CLIENTAPP or self._warm.fab_hash != fab_hash or not self._warm.is_there):
            self._cool()
        if name == CLIENTAPP and fab_hash and fab_hash in self._imports and fab_hash not in self._cold:
            if app := self._forked(fab_hash, address, token):
                return app
            self._cool()
        command = [*program(name), *address, "--parent-pid", str(os.getpid())]
        if name != CLIENTAPP or not fab_hash or fab_hash in self._cold:
            return ClientApp(command, token, self._environment)
        reading, writing = os.pipe()
        self._telling = fab_hash, reading
        try:
            return ClientApp(command, token, {**self._environment, IMPORTS: str(writing)}, [writing])
        finally:
            os.close(writing)

    def tidy(self) -> None:
        """End and remove what an app has left; what the next one is forked from begins to import when that is known."""
        if self._warm and not self._warm.is_ready:
            return  # no app was there since it began, and what it has started meanwhile is its own
        if self._warm and self._warm.is_there and end_others_than(self._warm.process.pid):
            clear()
        else:
            self._cool()
        if fab_hash := self._learn():
            self._warm = Warm(fab_hash, self._imports[fab_hash], self._environment)

    def rest(self) -> None:
        """Give memory back when no app has come for a while."""
        if self._warm and time.monotonic() - self._warm.used > IDLE:
            self._cool()

    def _cool(self) -> None:
        self._warm = None
        end_all()
        clear()

    def _learn(self) -> str | None:
        """Take what a ClientApp has told of its FAB; return the FAB's hash when it may be imported for."""
        if not self._telling:
            return None
        (fab_hash, reading), self._telling = self._telling, None
        told: dict[str, Any] = {}
        with os.fdopen(reading, "rb") as stream, suppress(TypeError, ValueError):
            os.set_blocking(reading, False)
            told = dict(json.loads(stream.read(1 << 16) or b"{}"))
        if doubt := told.get("doubt"):
            self._doubt(fab_hash, str(doubt))
        elif isinstance(names := told.get("imports"), list):
            self._imports = {fab_hash: modules(names)}
            return fab_hash
        return None

    def _forked(self, fab_hash: str, address: list[str], token: str) -> Forked | None:
        if not self._warm:
            self._warm = Warm(fab_hash, self._imports[fab_hash], self._environment)
        if doubt := self._warm.doubt(READY):
            self._doubt(fab_hash, doubt)
            return None
        if not (app := self._warm.start([CLIENTAPP, *address], token)):
            print("The warm process does not answer. This ClientApp starts from nothing.", file=sys.stderr)
        return app

    def _doubt(self, fab_hash: str, why: str) -> None:
        self._cold.add(fab_hash)
        print(f"ClientApps of FAB {fab_hash[:8]} start from nothing: {why}.", file=sys.stderr)
