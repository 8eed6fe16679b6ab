# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches from outside how much memory Flower's processes take, and how large its state becomes.

What counts is memory beyond the page cache. A file that is mapped, like the replies of a round, lies in that cache,
which gives way to whoever needs memory. A ClientApp shares much with the process that it is a fork of: on a host that
counts once.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from common import memory
from federation import HOME, Federation
from flower_processes import CLIENT_APP

PAUSE = 0.1  # seconds between two looks
SEARCHES = 5  # looks between two searches for new processes


@dataclass(frozen=True)
class Peaks:
    """The most that was seen, in bytes."""

    processes: Mapping[str, int] = field(default_factory=dict)  # by command: of the process that took most on any host
    # By host: of all of Flower's processes there at the same moment.
    hosts: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)  # by command: mapped files, which are libraries at least
    state: int = 0  # of the SuperLink's database and its write-ahead log


class MemoryWatch(threading.Thread):
    """Looks at all hosts until it is stopped."""

    def __init__(self, federation: Federation) -> None:
        super().__init__(daemon=True)
        self._federation = federation
        self._ended = threading.Event()
        self._processes: dict[str, int] = defaultdict(int)
        self._hosts: dict[str, int] = defaultdict(int)
        self._files: dict[str, int] = defaultdict(int)
        self._state = 0

    def run(self) -> None:
        """Look again and again."""
        looks = 0
        while not self._ended.wait(PAUSE):
            if looks % SEARCHES == 0:
                known = {host: self._federation.processes(host) for host in self._federation.hosts}
                self._state = max(self._state, self._state_size())
            looks += 1
            for host, processes in known.items():
                self._note_memory(host, processes)

    def stop(self) -> Peaks:
        """Stop looking, and return what was seen; nothing when it was never started."""
        self._ended.set()
        if self.ident is not None:
            self.join()
        return Peaks(dict(self._processes), dict(self._hosts), dict(self._files), self._state)

    def _note_memory(self, host: str, processes: Mapping[int, str]) -> None:
        together = 0
        for process, command in processes.items():
            with suppress(OSError, TypeError):  # it has ended, or is a zombie without any memory
                sizes = memory("RssAnon", process), memory("RssShmem", process), memory("RssFile", process)
                own = sizes[0] + sizes[1]
                # To ask for what is shared takes Linux longer: only of forks.
                together += memory("Pss_Anon", process, "smaps_rollup") if command == CLIENT_APP else own
                self._processes[command] = max(self._processes[command], own)
                self._files[command] = max(self._files[command], sizes[2])
        self._hosts[host] = max(self._hosts[host], together)

    def _state_size(self) -> int:
        state = self._federation.root(self._federation.superlink) / f"{HOME[1:]}/state"
        total = 0
        for name in ("state.db", "state.db-wal"):
            with suppress(OSError):
                total += (state / name).stat().st_size
        return total
