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

From the second message on, the ClientApps of one FAB are forked from a process that has imported Flower and the
libraries that the FAB names, and nothing of the FAB itself. That process is started while no app runs, lets nobody look
into it, and is ended before an app of another FAB begins. What speaks against forking it is told once, and ClientApps
start from nothing.
"""

from __future__ import annotations

import ast
import ctypes
import gc
import importlib
import importlib.util
import inspect
import io
import json
import math
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

PLACES = ("/tmp", "/var/tmp", "/dev/shm")
GOODBYE = 5.0  # seconds; a ClientApp that has replied still hands over its state
LOOK = 0.05
SECRET_LIMIT = 4096  # bytes
PR_SET_DUMPABLE = 4
PR_SET_PDEATHSIG = 1
CLIENTAPP = "flwr-clientapp"  # Flower's program; as the first argument it has this file run one ClientApp

WARM = "warm"  # as the first argument it has this file be the process that ClientApps are forked from
IMPORTS = "FEDOPS_IMPORTS"  # the descriptor that a ClientApp tells of its FAB's imports by
INSTALL = ("flwr.supernode.runtime.run_clientapp", "install_from_fab")  # what Flower calls with the FAB
HASH = "fab_hash"  # what Flower says of a task before its process is there
ALWAYS = ("numpy", "flwr.supernode.cli", "flwr.clientapp")
READY = 120.0  # seconds for the imports
ANSWER = 5.0  # seconds for a fork
IDLE = 600.0  # seconds without a message after which the memory is given back
MOST_IMPORTS, LONGEST_SOURCE = 64, 1 << 20
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_HARMLESS = ("/dev/null", "/dev/urandom", "/dev/random")


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

    def __init__(self, command: list[str], token: str, environment: dict[str, str], tells: Iterable[int] = ()) -> None:
        """Start it; ``tells`` are the descriptors that it gets."""
        home = tempfile.mkdtemp(prefix="flower-app-")
        self.process = subprocess.Popen(
            [*command, "--token-file", keep_token(home, token)],
            cwd=home,
            env={**environment, **at_home(home)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=tuple(tells),
        )

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)


def keep_token(home: str, token: str) -> str:
    """Write the token of a message into a file for its ClientApp alone; return where."""
    path = Path(home, "token")
    path.touch(0o600)
    path.write_text(token, "utf-8")
    return str(path)


def at_home(home: str) -> dict[str, str]:
    """Return what a ClientApp is told of its home."""
    return {"FLWR_HOME": f"{home}/.flwr", "HOME": home, "TMPDIR": home}


class Warm:
    """The process that ClientApps of one FAB are forked from, as the SuperExec sees it."""

    def __init__(self, fab_hash: str, imports: Iterable[str], environment: dict[str, str]) -> None:
        self.fab_hash = fab_hash
        self.used = time.monotonic()
        # Libraries may remember their user's home: it is the same for all that are forked, and each finds it empty.
        self._home = tempfile.mkdtemp(prefix="flower-app-")
        self._channel, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [*program(CLIENTAPP)[:-1], WARM, str(theirs.fileno()), *imports],
                cwd="/",
                env={**environment, **at_home(self._home)},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )
        self._read = b""

    def told(self, seconds: float) -> dict[str, Any]:
        """Return what it says next; nothing when it says nothing in time, or is gone."""
        end = time.monotonic() + seconds
        while b"\n" not in self._read:
            if not select.select([self._channel], [], [], max(0.0, end - time.monotonic()))[0]:
                return {}
            try:
                part = self._channel.recv(4096)
            except OSError:
                part = b""
            if not part:
                return {"ended": True}
            self._read += part
        line, _newline, self._read = self._read.partition(b"\n")
        return dict(json.loads(line))

    @property
    def is_there(self) -> bool:
        return self.process.poll() is None

    def start(self, command: list[str], token: str) -> Forked | None:
        """Start a ClientApp; return nothing when it does not."""
        with suppress(OSError):
            remove(self._home)
            os.mkdir(self._home, 0o700)
            arguments = [*command, "--parent-pid", str(self.process.pid), "--token-file", keep_token(self._home, token)]
            self._channel.sendall((json.dumps({"arguments": arguments, "home": self._home}) + "\n").encode())
            if "pid" in self.told(ANSWER):
                self.used = time.monotonic()
                return Forked(self)
        return None


class Forked:
    """A ClientApp that was forked."""

    def __init__(self, warm: Warm) -> None:
        self._warm = warm
        self._has_ended = False

    @property
    def has_ended(self) -> bool:
        self.wait(0)
        return self._has_ended

    def wait(self, seconds: float) -> None:
        """Wait for its end, but not for longer."""
        if not self._has_ended:
            self._has_ended = "ended" in self._warm.told(seconds)
            self._warm.used = time.monotonic()


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


def imports_of(fab: bytes) -> list[str]:
    """Return the modules that a FAB wants imported ahead, or those of others that its files import. Nothing is run."""
    with zipfile.ZipFile(io.BytesIO(fab)) as archive:
        files = {each.filename: each for each in archive.infolist() if each.file_size <= LONGEST_SOURCE}
        project = tomllib.loads(archive.read("pyproject.toml").decode("utf-8"))
        wanted = project.get("tool", {}).get("fedops", {}).get("warm-imports")
        if wanted is not None and not isinstance(wanted, list):
            raise TypeError("warm-imports is no list")
        if wanted is None:
            own = {name.split("/")[0].removesuffix(".py") for name in files}
            trees = [ast.parse(archive.read(name)) for name in files if name.endswith(".py")]
            found = {name for tree in trees for node in ast.walk(tree) for name in _imported(node)}
            wanted = [name for name in found if _is_others(name.split(".")[0], own)]
    return sorted(_modules(wanted))[:MOST_IMPORTS]


def _modules(names: Iterable[object]) -> list[str]:
    return [name for name in names if isinstance(name, str) and _MODULE.fullmatch(name)]


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _is_others(root: str, own: set[str]) -> bool:
    return root not in own and root not in sys.stdlib_module_names and importlib.util.find_spec(root) is not None


def tell_imports(module: Any, name: str, stream: int) -> None:
    """Have a function of Flower that installs a FAB tell first, through a descriptor, what the FAB imports."""
    install = getattr(module, name, None)
    if not callable(install):
        print("This release of Flower installs a FAB in another way. ClientApps start from nothing.", file=sys.stderr)
        os.close(stream)
        return

    def installs(fab: bytes, *arguments: Any, **more: Any) -> Any:
        told: dict[str, object] = {}
        try:
            told["imports"] = imports_of(fab)
        except Exception as error:  # a FAB may be anything; what is wrong with it is Flower's to tell
            told["doubt"] = f"its imports cannot be read: {type(error).__name__}"
        with suppress(OSError):
            os.write(stream, json.dumps(told).encode())
        os.close(stream)  # before anything of the app is run
        return install(fab, *arguments, **more)

    setattr(module, name, installs)


def run_clientapp() -> None:
    """Be the process of one ClientApp."""
    from flwr.supercore.inflatable.inflatable_utils import pull_and_inflate_object_from_tree
    from flwr.supernode.cli import flwr_clientapp

    del sys.argv[0]
    quicken_pulls(pull_and_inflate_object_from_tree, 0.5)
    if stream := os.environ.pop(IMPORTS, ""):
        tell_imports(importlib.import_module(INSTALL[0]), INSTALL[1], int(stream))
    flwr_clientapp()


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


def become_clientapp(arguments: list[str], home: str) -> None:
    """Be, after a fork, what a ClientApp is that was started: with a home, a session and random numbers of its own."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    os.environ.update(at_home(home))
    os.chdir(home)
    tempfile.tempdir = None
    sys.modules["numpy"].random.seed()  # Python's own generator sees to itself
    sys.argv = [sys.argv[0], *arguments]
    run_clientapp()


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


def program(command: str) -> list[str]:
    """Return what starts a program of Flower: a ClientApp by way of this file."""
    # Nothing that lies beside this file is a module of an app.
    return [sys.executable, "-P", os.path.abspath(__file__), command] if command == CLIENTAPP else [command]


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
        self._learn()
        if self._warm and (self._warm.fab_hash != fab_hash or not self._warm.is_there):
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
        """End and remove what an app has left."""
        if self._warm and self._warm.is_there and end_others_than(self._warm.process.pid):
            clear()
        else:
            self._cool()

    def rest(self) -> None:
        """Give memory back when no app has come for a while."""
        if self._warm and time.monotonic() - self._warm.used > IDLE:
            self._cool()

    def _cool(self) -> None:
        self._warm = None
        end_all()
        clear()

    def _learn(self) -> None:
        """Take what a ClientApp has told of its FAB."""
        if not self._telling:
            return
        (fab_hash, reading), self._telling = self._telling, None
        told: dict[str, Any] = {}
        with os.fdopen(reading, "rb") as stream, suppress(TypeError, ValueError):
            os.set_blocking(reading, False)
            told = dict(json.loads(stream.read(1 << 16) or b"{}"))
        if doubt := told.get("doubt"):
            self._doubt(fab_hash, str(doubt))
        elif isinstance(names := told.get("imports"), list):
            self._imports = {fab_hash: _modules(names)}

    def _forked(self, fab_hash: str, address: list[str], token: str) -> Forked | None:
        if not self._warm:
            self._warm = Warm(fab_hash, self._imports[fab_hash], self._environment)
            if "ready" not in (told := self._warm.told(READY)):
                self._doubt(fab_hash, str(told.get("doubt") or "its imports do not come to an end"))
                return None
        if not (app := self._warm.start([CLIENTAPP, *address], token)):
            print("The warm process does not answer. This ClientApp starts from nothing.", file=sys.stderr)
        return app

    def _doubt(self, fab_hash: str, why: str) -> None:
        self._cold.add(fab_hash)
        print(f"ClientApps of FAB {fab_hash[:8]} start from nothing: {why}.", file=sys.stderr)


def main() -> None:
    """Run the SuperExec as its command line says."""
    if sys.argv[1:2] == [CLIENTAPP]:
        run_clientapp()
    elif sys.argv[1:2] == [WARM]:
        be_warm(int(sys.argv[2]), sys.argv[3:])
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
            self.app: ClientApp | Forked | None = None
            self.killed = killed_for_memory()
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

    pace = Pace()
    quicken(pace, "flwr.supercore.superexec.run_superexec", "time.sleep(task_poll_interval)")
    if HASH not in ExecutionSpec.__dataclass_fields__:
        print("This release of Flower names no FAB beforehand. ClientApps start from nothing.", file=sys.stderr)
    factory.SubprocessExecutor = Executor
    cli = importlib.import_module("flwr.supercore.cli.flower_superexec")  # the package has a function of this name
    cli.load_superexec_auth_secret = lambda secret_file: secret
    cli.flower_superexec()


if __name__ == "__main__":
    sys.exit(main())
