# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apps leave under their user: processes and files, and how both are got rid of."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

PLACES = ("/tmp", "/var/tmp", "/dev/shm")
LOOK = 0.05  # seconds


def end_others_than(spared: int) -> bool:
    """End the other processes of this user but one; tell whether none of them is left."""
    for _try in range(20):
        left = [pid for pid in others() if pid != spared]
        if not left:
            return True
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(LOOK)
    return False


def end_all(own: Callable[[], Iterable[int]] | None = None) -> None:
    """End every other process of this user, however it has hidden itself."""
    if os.getuid() == 0:
        raise PermissionError("ClientApps have a user of their own; this is root.")
    while list((own or others)()):
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all at once, so that none can begin another; not this one
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(LOOK)


def others() -> list[int]:
    """Return the other processes of this user that still run."""
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit() and _is_other(int(entry.name))]


def _is_other(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    about = dict(line.partition(":")[::2] for line in lines)
    return about["Uid"].split()[0] == str(os.getuid()) and about["State"].split()[0] not in "ZX"


def clear(places: Iterable[str] = PLACES) -> None:
    """Remove everything that this user has left."""
    for place in places:
        with suppress(OSError):
            for entry in list(os.scandir(place)):
                if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                    remove(entry.path)


def remove(path: str) -> None:
    """Remove a file, or a directory of any depth, also one that an app has closed to its own user."""
    if os.path.isdir(path) and not os.path.islink(path):
        for command in (["chmod", "-R", "u+rwx"], ["rm", "-rf"]):
            subprocess.run([*command, "--", path], stderr=subprocess.DEVNULL, check=False)
    else:
        with suppress(OSError):
            os.unlink(path)
