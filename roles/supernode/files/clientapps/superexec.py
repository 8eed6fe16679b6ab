# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flower's SuperExec, with an executor of ours."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress

from .loopback import keep_loopback
from .nursery import Nursery
from .pace import Pace, quicken
from .processes import ClientApp, Forked
from .secrecy import close_memory, take_secret
from .tidying import bounds, clear, control_group, end_all

GOODBYE = 5.0  # seconds; a ClientApp that has replied still hands over its state
HASH = "fab_hash"  # what Flower says of a task before its process is there


def run_superexec() -> None:
    """Run the SuperExec."""
    close_memory()
    secret = take_secret()
    end_all()
    clear()
    keep_loopback(os.environ)  # ClientApps get it as it is then

    from flwr.supercore.constant import TASK_TYPE_TO_APPIO_API_ADDRESS_ARG, TASK_TYPE_TO_COMMAND
    from flwr.supercore.superexec.executor import factory
    from flwr.supercore.superexec.executor.subprocess_executor import SubprocessExecutor
    from flwr.supercore.superexec.executor.types import ExecutionSpec, LaunchResult

    class Executor(SubprocessExecutor):
        """Flower's executor, with nothing left over from one app to the next."""

        def __init__(self) -> None:
            self.app: ClientApp | Forked | None = None
            self.killed = killed_for_memory()
            self.bounds = bounds()
            self.nursery = Nursery(dict(os.environ))

        def launch(self, spec: ExecutionSpec) -> LaunchResult:
            if self.app:
                self.app.wait(GOODBYE)
            self._end()
            name = TASK_TYPE_TO_COMMAND[spec.task_type]
            address = [TASK_TYPE_TO_APPIO_API_ADDRESS_ARG[spec.task_type], spec.runtime_api_address, "--insecure"]
            self.app = self.nursery.start(name, address, spec.token, getattr(spec, HASH, None))
            pace.happened()
            return LaunchResult.accepted()

        def reconcile(self) -> None:
            if self.app and self.app.has_ended:
                self._end()
                pace.happened()
            elif not self.app:
                self.nursery.rest()
            if (killed := killed_for_memory()) > self.killed:
                self.killed = killed
                told = (
                    "A ClientApp was killed: it needed more memory than supernode_memory_max allows, or the host has."
                )
                print(told, file=sys.stderr)

        def _end(self) -> None:
            self.app = None
            self.nursery.tidy()
            if bounds() != self.bounds:
                sys.exit("An app has changed the limits of its SuperExec, which later ones would have. It begins anew.")

    pace = Pace()
    quicken(pace, "flwr.supercore.superexec.run_superexec", "time.sleep(task_poll_interval)")
    if HASH not in ExecutionSpec.__dataclass_fields__:
        print("This release of Flower names no FAB beforehand. ClientApps start from nothing.", file=sys.stderr)
    vars(factory)["SubprocessExecutor"] = Executor
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")  # the package has a function of this name
    vars(cli)["load_superexec_auth_secret"] = lambda secret_file: secret
    cli.flower_superexec()


def killed_for_memory() -> int:
    """Return how many processes of this unit the kernel has ended because of its bound on memory."""
    with suppress(OSError, StopIteration, ValueError):
        lines = control_group("memory.events").read_text("utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return 0
