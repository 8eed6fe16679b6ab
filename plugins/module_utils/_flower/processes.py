# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of ServerApps on this host. They carry no run id, so a run is known by when its process began.

A process is a ServerApp of ours when it runs Flower's program as the account of the ServerApps, in the control group of
the SuperExec's unit: nothing else is ever taken for one, or ended, whatever a file says.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import signal
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

from .._base import identity
from .._base.accounts import uid_of
from .._base.layout import SUPEREXEC_UNIT
from .assumptions import BEGINS_AFTER, BEGINS_BEFORE, SERVERAPP, TIME_FORMAT

EXECUTOR = SUPEREXEC_UNIT
_GROUP = f"/system.slice/{EXECUTOR}"
_OF_SYSTEMD = "/init.scope"  # where systemd itself is, below the control group that it has to itself
_DEAD = ("Z", "X", "x")  # a SuperExec does not always reap its children


@dataclass(frozen=True)
class Process:
    """A process; its number may be given again, the moment at which it began is not."""

    pid: int
    ticks: int  # when it began, since the boot


class ProcessTable:
    """What C(/proc) tells."""

    def __init__(self, path: str = "/proc") -> None:
        self.path = path
        self._hertz = os.sysconf("SC_CLK_TCK")

    def serverapps(self) -> list[Process]:
        """Return the ServerApps that live, of whatever run."""
        numbers = [int(name) for name in os.listdir(self.path) if name.isdigit()]
        found = (self._living(number) for number in numbers if self._is_serverapp(number))
        return [process for process in found if process]

    def lives(self, process: Process) -> bool:
        """Tell whether a process lives and is a ServerApp."""
        return self._living(process.pid) == process and self._is_serverapp(process.pid)

    def shows_others(self) -> bool:
        """Tell whether processes of other accounts are seen at all: the first one always is somebody else's."""
        return bool(self._group(1))

    def began(self, process: Process) -> float:
        """Return when a process began, by the clock as it goes now."""
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.time() - (since_boot - process.ticks / self._hertz)

    def kill(self, process: Process) -> None:
        """Kill a ServerApp that is surely the one that is meant. What is none is left alone."""
        if not self.lives(process):
            return
        with suppress(OSError):
            descriptor = os.pidfd_open(process.pid)
            try:
                if self.lives(process):  # still: from now on the descriptor means this one, and no other of its number
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)

    def _is_serverapp(self, number: int) -> bool:
        uid = str(uid_of(identity.APPS_USER))
        try:
            with open(os.path.join(self.path, str(number), "cmdline"), "rb") as stream:
                words = stream.read(4096).split(b"\0")
            status = _lines(self.path, str(number), "status")
        except OSError:
            return False
        # The interpreter comes first where the program is a script.
        if not any(os.path.basename(word) == SERVERAPP.encode() for word in words[:2]):
            return False
        # The real user, the effective, the saved one, and that of files.
        if [line.split()[1:] for line in status if line.startswith("Uid:")] != [[uid] * 4]:
            return False
        root = self._group(1)
        root = root[: -len(_OF_SYSTEMD)] if root.endswith(_OF_SYSTEMD) else root.rstrip("/")
        return self._group(number) == root + _GROUP

    def _group(self, number: int) -> str:
        """Return the control group of a process as systemd has it; empty where that is not told."""
        try:
            groups = [line.split(":", 2) for line in _lines(self.path, str(number), "cgroup")]
            paths = {controllers: path for _number, controllers, path in groups}
        except (OSError, ValueError):
            return ""
        # A tree of its own in version 1, and in version 2 the one that there is.
        return paths.get("name=systemd") or paths.get("", "")

    def _living(self, number: int) -> Process | None:
        try:
            with open(os.path.join(self.path, str(number), "stat"), encoding="utf-8", errors="replace") as stream:
                # The name in brackets may hold anything.
                fields = stream.read().rpartition(")")[2].split()
        except OSError:
            return None
        return None if not fields or fields[0] in _DEAD else Process(number, int(fields[19]))


def of_run(processes: t.Iterable[tuple[Process, float]], starting_at: float | None) -> tuple[Process, ...]:
    """Return those that may be the ServerApp of a run that Flower says has started then; more than one is rare."""
    if starting_at is None:
        return ()
    first, last = starting_at - BEGINS_BEFORE, starting_at + BEGINS_AFTER
    return tuple(process for process, began in processes if first <= began <= last)


def moment(text: str) -> float | None:
    """Return a time as Flower writes it (UTC) in seconds since the epoch."""
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None


def memory_counts(process: int, proc: str = "/proc") -> str:
    """Return the file that counts what the kernel kills for want of memory in the control group of a process.

    Empty where there is none. Version 2 of control groups counts in C(memory.events), version 1 elsewhere.
    """
    try:
        return _memory_counts(_lines(proc, str(process), "cgroup"), _lines(proc, "self", "mountinfo"))
    except (OSError, ValueError, KeyError):
        return ""


def memory_kills(counts: str) -> int | None:
    """Return how often that was; None where it is not told."""
    try:
        return int(dict(line.split() for line in _lines(counts))["oom_kill"])
    except (OSError, ValueError, KeyError):
        return None


def _memory_counts(groups: t.Sequence[str], mounts: t.Sequence[str]) -> str:
    paths = {controllers: path for _number, controllers, path in (line.split(":", 2) for line in groups)}
    for kind, name in (("cgroup", "memory.oom_control"), ("cgroup2", "memory.events")):
        for mount in mounts:
            place, _dash, source = mount.partition(" - ")
            root, point = place.split()[3:5]
            words = source.split()
            if words[0] != kind or (kind == "cgroup" and "memory" not in words[2].split(",")):
                continue
            group = next(
                path for controllers, path in paths.items() if kind == "cgroup2" or "memory" in controllers.split(",")
            )
            # In a container the mount may begin somewhere below the root of the groups.
            return os.path.join(point, os.path.relpath(group, root) if group.startswith(root) else group[1:], name)
    raise KeyError("memory")


def _lines(*path: str) -> list[str]:
    with open(os.path.join(*path), encoding="utf-8", errors="replace") as stream:
        return stream.read().splitlines()
