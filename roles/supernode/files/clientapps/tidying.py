# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apps leave under their user: processes and files, and how both are got rid of."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")
LOOK = 0.05  # seconds
_ROOTS = (("/unified", ""), ("", ""), ("/systemd", "name=systemd"))  # of control groups, and what they are listed as
_IPC_RMID = 0


def end_others_than(spared: int) -> bool:
    """End the other processes of this unit but one; tell whether none of them is left."""
    for _try in range(20):
        left = [pid for pid in others() if pid != spared]
        if not left:
            return True
        for pid in left:
            with suppress(PermissionError, ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK)
    return False


def end_all() -> None:
    """End every other process of this user, however it has hidden itself."""
    if os.getuid() == 0:
        raise PermissionError("ClientApps have a user of their own; this is root.")
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all at once, so that none can begin another; not this one
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not others():
            return
        time.sleep(LOOK)


def others() -> list[int]:
    """Return the other processes of this unit.

    The kernel's list of its control group has them all. From /proc an app may hide a process, and one that begins
    another and ends, over and over, is hardly ever met there.
    """
    pids = {int(pid) for pid in control_group("cgroup.procs").read_text("utf-8").split()}
    return sorted(pid for pid in pids - {os.getpid()} if not _is_of_another_user(pid))


def _is_of_another_user(pid: int) -> bool:
    """Tell whether it is; one that has just ended may have begun another, and counts."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        pass
    return False


def control_group(file: str) -> Path:
    """Return where a file of this unit's control group lies, with the old hierarchies of groups or without."""
    lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    groups = {kind: path for _number, kind, path in (line.split(":", 2) for line in lines)}
    places = [Path(f"/sys/fs/cgroup{root}{groups[kind]}", file) for root, kind in _ROOTS if kind in groups]
    if found := next((place for place in places if place.exists()), None):
        return found
    raise FileNotFoundError(errno.ENOENT, "the control group of this unit has none", file)


def bounds(pid: int = 0) -> tuple[object, ...]:
    """Return what every process of this user may change of another one, and what those that it starts inherit."""
    limits = [resource.prlimit(pid, number) for name, number in vars(resource).items() if name.startswith("RLIMIT_")]
    return limits, os.getpriority(os.PRIO_PROCESS, pid), os.sched_getaffinity(pid), os.sched_getscheduler(pid)


def clear(places: Iterable[str] = PLACES) -> None:
    """Remove everything that this user has left."""
    for place in places:
        with suppress(OSError):
            for entry in list(os.scandir(place)):
                if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    remove(entry.path)
    clear_ipc()


def clear_ipc() -> None:
    """Remove what is shared between processes and has no place in a file system (System V), where it is this user's.

    It outlives the processes, and its memory counts as that of the unit.
    """
    libc = ctypes.CDLL(None)
    removals: dict[str, Callable[[int], object]] = {
        "shm": lambda number: libc.shmctl(number, _IPC_RMID, None),
        "sem": lambda number: libc.semctl(number, 0, _IPC_RMID),
        "msg": lambda number: libc.msgctl(number, _IPC_RMID, None),
    }
    for kind, remove_it in removals.items():
        with suppress(OSError):
            for row in Path(f"/proc/sysvipc/{kind}").read_text("utf-8").splitlines()[1:]:
                remove_it(int(row.split()[1]))


def remove(path: str) -> None:
    """Remove a file, or a directory of any depth, also one that an app has closed to its own user."""
    if os.path.isdir(path) and not os.path.islink(path):
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", path], stderr=subprocess.DEVNULL, check=False)
    else:
        with suppress(OSError):
            os.unlink(path)
