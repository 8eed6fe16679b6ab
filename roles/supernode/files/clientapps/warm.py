# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that ClientApps are forked from, from within."""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .clientapp import become_clientapp
from .secrecy import close_memory

PR_SET_PDEATHSIG = 1
ALWAYS = ("numpy", "flwr.supernode.cli", "flwr.clientapp")
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")


def be_warm(stream: int, imports: Iterable[str]) -> None:
    """Import, then fork a ClientApp for each order. Only in a ClientApp does this return."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    close_memory()
    channel = socket.socket(fileno=stream)

    def say(**what: object) -> None:
        channel.sendall((json.dumps(what) + "\n").encode())

    if doubt := failing_import([*ALWAYS, *imports]) or doubt_about_forking(stream):
        say(doubt=doubt)
        sys.exit()
    gc.collect()
    gc.freeze()  # collections would write to memory that is shared with what is forked
    say(ready=True)
    for line in channel.makefile("r", encoding="utf-8"):
        order = json.loads(line)
        child = os.fork()
        if not child:
            channel.detach()
            os.closerange(3, 256)
            become_clientapp(order["arguments"], order["home"])
            return
        say(pid=child)
        os.waitpid(child, 0)
        say(ended=True)
    sys.exit()


def failing_import(names: Iterable[str]) -> str:
    """Import modules; say which fails, and how."""
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException as error:
            return f"{name} cannot be imported ahead: {type(error).__name__}: {str(error)[:200]}"
    return ""


def doubt_about_forking(stream: int) -> str:
    """Say what a fork of this process would share with it or lack, after the imports."""
    if not (child := os.fork()):
        os._exit(0)
    os.waitpid(child, 0)  # libraries that know of forks have ended their threads for it
    if (threads := len(os.listdir("/proc/self/task"))) > 1:
        return f"{threads} threads run after the imports"
    maps = Path("/proc/self/maps").read_text("utf-8").splitlines()
    if shared := [line for line in maps if line.split()[1][1::2] == "ws"]:
        return f"memory is shared after the imports: {shared[0].split()[-1]}"
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one of this list
            target = os.readlink(f"/proc/self/fd/{number}")
            if int(number) not in (0, 1, 2, stream) and target not in _HARMLESS:
                return f"{target} is open after the imports"
    return ""
