# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the moments in the life of Flower's app processes, for any app, without a change to it.

The benchmark puts this file into the hosts' virtual environment, with a .pth file that has Python import it at its
start, and takes both away afterwards. In an app process it waits for the modules below and wraps a few of their
functions. What it learns goes to a socket where the benchmark listens, a line of JSON each: a unit may write next to
nothing on a host, the accounts of the units share no folder, and the journal is closed to them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LISTENER = "/run/stopwatch"  # Flower gives the output of ServerApps to nobody
WARM = "warm"  # the word by which our program becomes the process that ClientApps are forked from

Hook = Callable[[ModuleType], None]


def process_started() -> float:
    """Return when the kernel started this process, in seconds since the epoch."""
    with open("/proc/self/stat", encoding="ascii") as stream:
        ticks = int(stream.read().rpartition(") ")[2].split()[19])
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - since_boot + ticks / os.sysconf("SC_CLK_TCK")


def start_anew(moments: dict[str, float]) -> None:
    """Forget the moments of the process that this one is a fork of."""
    moments.clear()
    moments.update(started=process_started(), python=time.time())


def tell(**facts: object) -> None:
    """Write one line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.connect(LISTENER)
        speaker.send(f"{json.dumps(facts)}\n".encode())


def watch_client(moments: dict[str, float]) -> dict[str, Hook]:
    """Return hooks for a ClientApp's process: it handles one message and ends."""

    def stamp(name: str) -> None:
        moments[name] = time.time()

    def around(function: Callable, before: str, after: str = "") -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            stamp(before)
            try:
                return function(*args, **kwargs)
            finally:
                if after:
                    stamp(after)
                if after == "pushed":
                    tell(process="clientapp", **moments)

        return wrapped

    def process(module: ModuleType) -> None:
        module.run_clientapp = around(module.run_clientapp, "main")
        module.pull_task_input = around(module.pull_task_input, "pulling", "pulled")
        module.push_message = around(module.push_message, "pushing", "pushed")

    def app(module: ModuleType) -> None:
        module.ClientApp.__call__ = around(module.ClientApp.__call__, "called", "answered")

    return {"flwr.supernode.runtime.run_clientapp": process, "flwr.clientapp.client_app": app}


def watch_server() -> dict[str, Hook]:
    """Return hooks for a ServerApp's process: every exchange with the SuperLink, and every checkpoint."""

    def told(what: str, function: Callable, counts: bool = False) -> Callable:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            begun = time.time()
            result = function(*args, **kwargs)
            number = len(result) if counts else 1
            if number:
                tell(process="serverapp", what=what, begun=begun, ended=time.time(), number=number)
            return result

        return wrapped

    def grid(module: ModuleType) -> None:
        module.HttpGrid.push_messages = told("push", module.HttpGrid.push_messages, counts=True)
        module.HttpGrid.pull_messages = told("pull", module.HttpGrid.pull_messages, counts=True)

    def checkpoints(module: ModuleType) -> None:
        module.CheckpointDirectory.save = told("save", module.CheckpointDirectory.save)

    def fetching(module: ModuleType) -> None:  # how this collection's app pulls its replies
        module.Fetching.fetch = told("pull", module.Fetching.fetch, counts=True)

    return {
        "flwr.superlink.grid.http_grid": grid,
        "fedops_kit.pulling": fetching,
        "fedops_kit.checkpoints": checkpoints,
    }


class HookFinder(importlib.abc.MetaPathFinder):
    """Lets modules be found as always, and calls a hook after one of them has run."""

    def __init__(self, hooks: dict[str, Hook]) -> None:
        self._hooks = hooks

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that has a hook."""
        hook = self._hooks.pop(name, None)
        if hook is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                hook(module)

            spec.loader.exec_module = exec_module
        return spec


def install() -> None:
    """Watch this process when it is one of an app."""
    # Of the program itself, or of a launcher that is told the program.
    processes = [os.path.basename(each) for each in sys.argv[:2]]
    if "flwr-clientapp" in processes or processes[1:] == [WARM]:
        moments = {"started": process_started(), "python": time.time()}
        sys.meta_path.insert(0, HookFinder(watch_client(moments)))
        os.register_at_fork(after_in_child=lambda: start_anew(moments))
    elif "flwr-serverapp" in processes:
        sys.meta_path.insert(0, HookFinder(watch_server()))
