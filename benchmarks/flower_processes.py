# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processes on a test host are Flower's, as this machine sees them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

SERVER_APP, CLIENT_APP = "flwr-serverapp", "flwr-clientapp"
SUPEREXEC = "flower-superexec"
COMMANDS = ("flower-superlink", SUPEREXEC, "flower-supernode", SERVER_APP, CLIENT_APP)
# Our program that starts ClientApps: the process that they are forked from, and a fork of it, are called the same.
CLIENT_APPS, WARM = "flower-clientapps", "warm"
WORDS = 4  # of a command line, among which the command is: after Python and Python's own options


def flower_processes(namespace: str) -> dict[int, str]:
    """Return the processes of Flower in a process namespace: id on this machine, name of the command."""
    found = {}
    for entry in os.scandir("/proc"):
        with suppress(OSError):  # it may end while it is looked at
            if entry.name.isdigit() and os.readlink(f"/proc/{entry.name}/ns/pid") == namespace:
                command = command_of(Path(f"/proc/{entry.name}/cmdline").read_bytes())
                if command:
                    found[int(entry.name)] = command
    return found


def command_of(line: bytes) -> str | None:
    """Return the command of Flower's that a command line is, as Linux tells it; none of a foreign one."""
    names = [os.path.basename(word) for word in line.decode(errors="replace").split("\0")[1:WORDS]]
    if CLIENT_APPS in names:
        return CLIENT_APP if {CLIENT_APP, WARM} & set(names) else SUPEREXEC
    return next((name for name in names if name in COMMANDS), None)
