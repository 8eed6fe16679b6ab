# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Flower's SuperExec for the ClientApps of one SuperNode, each of them as if it were the first.

ClientApps of several trainings follow one another under the same user. Before one begins, whatever others have left is
gone: processes that outlived their app, the installed apps, temporary files. So no app can alter what another executes.

The secret that opens the SuperNode's Runtime API comes on standard input, which systemd opens as root. It is in no
file that a ClientApp could read, and in the memory of a process that it cannot look into. A ClientApp has the token of
its own message alone, in a file that nobody else reads.

While ClientApps come one after another the SuperExec looks for the next one often, and a ClientApp whose message is
still on its way to the SuperNode asks for the rest of it often.
"""

from __future__ import annotations

import ctypes
import importlib
import inspect
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

PLACES = ("/tmp", "/var/tmp", "/dev/shm")
GOODBYE = 5.0  # seconds; a ClientApp that has replied still hands over its state
LOOK = 0.05
SECRET_LIMIT = 4096  # bytes
PR_SET_DUMPABLE = 4
CLIENTAPP = "flwr-clientapp"  # Flower's program; as the first argument it has this file run one ClientApp


# begin: pace (tools/generate.py copies it from flower-supernode.py)
# What Flower waits before it asks again for a piece that is not there: at first, at most, and how often.
PULLS = {"initial_backoff": 1, "backoff_cap": 10, "max_tries_per_object": 500}


class Pace:
    """Stands for the module ``time`` in a module that pauses: shortly after something has happened, and longer later.

    A pause is a tenth of the time since then, or a tenth of Flower's own if that is longer, and never more than that.
    """

    def __init__(self) -> None:
        self._latest = -math.inf

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def happened(self) -> None:
        """Wait shortly from now on."""
        self._latest = time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep for as long as there is reason to; not all at the same time as others."""
        pause = min(seconds, max(seconds, time.monotonic() - self._latest) / 10)
        time.sleep(pause * random.uniform(0.8, 1.2))


def quicken(pace: Pace, module: str, *pauses: str) -> None:
    """Have a module of Flower pause at a pace of ours, where it pauses as is known."""
    found = importlib.import_module(module)
    if getattr(found, "time", None) is time and all(pause in inspect.getsource(found) for pause in pauses):
        vars(found)["time"] = pace
    else:
        print(f"This release of Flower pauses in another way ({module}). That is left to it.", file=sys.stderr)


def quicken_pulls(pull: Callable[..., Any], longest: float) -> None:
    """Have a function of Flower ask again sooner, after so many seconds at most, and for as long as ever."""
    defaults = pull.__kwdefaults__ or {}
    if {name: defaults.get(name) for name in PULLS} == PULLS:
        tries = round(PULLS["max_tries_per_object"] * PULLS["backoff_cap"] / longest)
        defaults.update(initial_backoff=longest / 10, backoff_cap=longest, max_tries_per_object=tries)
    else:
        print(f"This release of Flower pulls in another way ({pull.__name__}). That is left to it.", file=sys.stderr)


# end: pace


class ClientApp:
    """The process of one ClientApp, with a home that is its own."""

    def __init__(self, command: list[str], token: str, environment: dict[str, str]) -> None:
        home = tempfile.mkdtemp(prefix="flower-app-")
        token_file = Path(home, "token")
        token_file.touch(0o600)
        token_file.write_text(token, "utf-8")
        own = {"FLWR_HOME": f"{home}/.flwr", "HOME": home, "TMPDIR": home}
        self.process = subprocess.Popen(
            [*command, "--token-file", str(token_file)],
            cwd=home,
            env={**environment, **own},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)


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


def killed_for_memory() -> int:
    """Return how many processes of this unit the kernel has ended because of its bound on memory."""
    with suppress(OSError, StopIteration, ValueError):
        group = Path("/proc/self/cgroup").read_text("utf-8").strip().rpartition(":")[2]
        lines = Path(f"/sys/fs/cgroup{group}", "memory.events").read_text("utf-8").splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))
    return 0


def take_secret(stream: int = 0) -> bytes:
    """Read the secret, and leave nothing of it for processes to come."""
    secret = b""
    while part := os.read(stream, SECRET_LIMIT):
        secret += part
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, stream)
    os.close(nothing)
    return secret


def close_memory() -> None:
    """Let no other process of this user look into this one, or have its memory written to a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the memory of the process cannot be closed")


def run_clientapp() -> None:
    """Be the process of one ClientApp."""
    from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree
    from flwr.supernode.cli import flwr_clientapp

    del sys.argv[0]
    quicken_pulls(pull_and_inflate_object_from_tree, 0.5)
    flwr_clientapp()


def program(command: str) -> list[str]:
    """Return what starts a program of Flower: a ClientApp by way of this file."""
    # Nothing that lies beside this file is a module of an app.
    return [sys.executable, "-P", os.path.abspath(__file__), command] if command == CLIENTAPP else [command]


def main() -> None:
    """Run the SuperExec as its command line says."""
    if sys.argv[1:2] == [CLIENTAPP]:
        run_clientapp()
    else:
        run_superexec()


def run_superexec() -> None:
    """Run the SuperExec."""
    close_memory()
    secret = take_secret()
    end_all()
    clear()

    from flwr.supercore.constant import TASK_TYPE_TO_APPIO_API_ADDRESS_ARG, TASK_TYPE_TO_COMMAND
    from flwr.supercore.superexec.executor import factory
    from flwr.supercore.superexec.executor.subprocess_executor import SubprocessExecutor
    from flwr.supercore.superexec.executor.types import ExecutionSpec, LaunchResult

    class Executor(SubprocessExecutor):
        """Flower's executor, with nothing left over from one app to the next."""

        def __init__(self) -> None:
            self.app: ClientApp | None = None
            self.killed = killed_for_memory()

        def launch(self, spec: ExecutionSpec) -> LaunchResult:
            if self.app:
                self.app.wait(GOODBYE)
            self._end()
            address = [TASK_TYPE_TO_APPIO_API_ADDRESS_ARG[spec.task_type], spec.runtime_api_address]
            command = [*program(TASK_TYPE_TO_COMMAND[spec.task_type]), *address, "--insecure"]
            command += ["--parent-pid", str(os.getpid())]
            self.app = ClientApp(command, spec.token, dict(os.environ))
            pace.happened()
            return LaunchResult.accepted()

        def reconcile(self) -> None:
            if self.app and self.app.has_ended:
                self._end()
                pace.happened()
            if (killed := killed_for_memory()) > self.killed:
                self.killed = killed
                told = (
                    "A ClientApp was killed: it needed more memory than supernode_memory_max allows, or the host has."
                )
                print(told, file=sys.stderr)

        def _end(self) -> None:
            self.app = None
            end_all()
            clear()

    pace = Pace()
    quicken(pace, "flwr.supercore.superexec.run_superexec", "time.sleep(task_poll_interval)")
    factory.SubprocessExecutor = Executor
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")  # the package has a function of this name
    cli.load_superexec_auth_secret = lambda secret_file: secret
    cli.flower_superexec()


if __name__ == "__main__":
    sys.exit(main())
