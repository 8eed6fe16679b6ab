# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try what a process can reach from where it runs, and tell what it got: nothing is an empty list.

The app runs it inside its units. A user of a host runs it as a script, with the Python of Flower's environment:
probe.py LOCAL_PORT,LOCAL_PORT... HOST:PORT,HOST:PORT...
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

HOME = "/opt/flower"
SECRETS = (HOME, "/etc/flower", "/run/credentials", "/etc/shadow", "/etc/nginx", "/root", "/etc/ssh")
LEFT_OUT = ("releases", "venv")  # the programs, which everybody may read
SMALL = 65536
KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")
CLONE_NEWUSER, PTRACE_ATTACH, PTRACE_DETACH = 0x10000000, 16, 17
LIBC = ctypes.CDLL(None, use_errno=True)


def files(below: str) -> Iterator[str]:
    """Yield every file below a directory that can be listed."""
    if not os.path.isdir(below):
        yield below
    for directory, names, found in os.walk(below):
        names[:] = [name for name in names if name not in LEFT_OUT]
        yield from (os.path.join(directory, name) for name in found)


def read(path: str) -> bytes:
    """Return the beginning of a regular file, or nothing."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, SMALL) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
        finally:
            os.close(descriptor)
    return b""


def is_secret(path: str) -> bool:
    """Tell whether a file that can be read is nobody's business."""
    content = read(path)
    secret_by_name = path.endswith((".secret", "shadow", "state.db", "state.db-wal"))
    return bool(KEY.search(content)) or (secret_by_name and bool(content))


def secrets() -> list[str]:
    """Keys, secrets and databases that can be read where they lie."""
    return sorted({path for place in SECRETS for path in files(place) if is_secret(path)})


def processes() -> Iterator[tuple[int, int]]:
    """Yield id and user of the other processes that can be seen."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                yield int(name), os.stat(f"/proc/{name}").st_uid


def through_processes() -> list[str]:
    """What processes of somebody else give away: their file system, their environment, their memory, their files."""
    got = []
    for pid, user in processes():
        root = f"/proc/{pid}/root"
        got += [path.replace(root, "root:", 1) for place in SECRETS for path in files(root + place) if is_secret(path)]
        if user == os.getuid():
            continue
        for name in ("environ", "mem", "maps"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as stream:
                if name == "mem" or stream.read(1):
                    got.append(f"{name} of a process of {user}")
        with contextlib.suppress(OSError):
            os.listdir(f"/proc/{pid}/fd")
            got.append(f"fd of a process of {user}")
    return sorted(set(got))


def writable() -> list[str]:
    """Places that can be written to, of those that decide what runs or what is believed."""
    places = ["/etc", "/etc/systemd/system", "/usr/local/bin", "/var/lib", "/var/backups", "/var/spool/cron", HOME]
    got = [place for place in places if os.access(place, os.W_OK)]
    for directory, names, found in os.walk(HOME):
        got += [path for name in (*names, *found) if os.access(path := os.path.join(directory, name), os.W_OK)]
    return sorted({path for path in got if not os.path.islink(path)})


def signalled() -> list[str]:
    """Processes of somebody else that would take a signal. Without capabilities one reaches one's own."""
    got = set()
    for pid in {*range(1, 3000), *(pid for pid, _user in processes())}:
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            owner = _owner(pid)
            if owner != os.getuid() and (owner is not None or _has_capabilities()):
                got.add(f"a process of {owner}")
    return sorted(got)


def _owner(pid: int) -> int | None:
    """Return the user of a process; nothing where it is hidden, which a process can be from its own user."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def _has_capabilities() -> bool:
    with open("/proc/self/status") as stream:
        return any(line.startswith("CapEff:") and int(line.split()[1], 16) for line in stream)


def traced() -> list[str]:
    """Processes of somebody else that can be debugged."""
    got = []
    for pid, user in processes():
        if user != os.getuid() and LIBC.ptrace(PTRACE_ATTACH, pid, None, None) == 0:
            got.append(f"a process of {user}")
            os.waitpid(pid, 0)
            LIBC.ptrace(PTRACE_DETACH, pid, None, None)
    return sorted(set(got))


def commands() -> list[str]:
    """What other programs of the host do for this one."""
    asked = {
        "sudo": ["sudo", "-n", "true"],
        "su": ["su", "-c", "true"],
        "systemctl": ["systemctl", "--no-ask-password", "restart", "flower-none.service"],
        "systemd-run": ["systemd-run", "--no-ask-password", "true"],
        "nft": ["nft", "list", "ruleset"],
        "nsenter": ["nsenter", "--target", "1", "--mount", "true"],
    }
    got = []
    for name, command in asked.items():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False
            )
            if done.returncode == 0 or ("not found" in done.stderr and name == "systemctl"):
                got.append(name)
    return got


def kernel() -> list[str]:
    """What a sandbox keeps from a process."""
    attempts: dict[str, Callable[[], Any]] = {
        "setuid": lambda: os.setuid(0) if os.getuid() else None,
        "chroot": lambda: os.chroot("/"),
        "device": _device,
        "raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        "packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "setuid file": _setuid_file,
        "D-Bus": lambda: _speak_to("/run/dbus/system_bus_socket"),
        "systemd": lambda: _speak_to("/run/systemd/private"),
        "journal": lambda: _speak_to("/run/systemd/journal/stdout"),
        "syslog": lambda: _speak_to("/dev/log", socket.SOCK_DGRAM),
        "resolved": lambda: _speak_to("/run/systemd/resolve/io.systemd.Resolve"),
    }
    got = []
    for name, attempt in attempts.items():
        with contextlib.suppress(OSError):
            attempt()
            got.append(name)
    child = os.fork()  # a process that is in another namespace does not come back from it
    if not child:
        os._exit(0 if LIBC.unshare(CLONE_NEWUSER) == 0 else 1)
    if os.waitpid(child, 0)[1] == 0:
        got.append("user namespace")
    return got


def _device() -> None:
    os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(8, 0))
    os.unlink("/tmp/disk")


def _setuid_file() -> None:
    with open("/tmp/setuid", "w") as stream:
        os.fchmod(stream.fileno(), 0o4755)
    os.unlink("/tmp/setuid")


def _speak_to(path: str, kind: int = socket.SOCK_STREAM) -> None:
    """Connect to a service of the host, as logind, which starts a systemd of one's own outside of the unit."""
    with socket.socket(socket.AF_UNIX, kind) as speaker:
        speaker.connect(path)


def connected(doors: list[str]) -> list[str]:
    """Doors that open, each HOST:PORT."""
    got = []
    for door in doors:
        host, _colon, port = door.rpartition(":")
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=3).close()
            got.append(door)
    return got


def answered(ports: list[int]) -> list[str]:
    """What Flower's local APIs answer, of all that they could be asked."""
    from flwr.proto.control_pb2 import ListNodesRequest, ListRunsRequest, RegisterNodeRequest, StopRunRequest
    from flwr.proto.runtime_pb2 import AcquireTaskRequest, GetNodesRequest, PullTaskInputRequest
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor
    from flwr.supercore.runtime import RuntimeHttpClient

    asked = {
        "list-nodes": (ControlHttpClient, "ListNodes", ListNodesRequest()),
        "list-runs": (ControlHttpClient, "ListRuns", ListRunsRequest()),
        "stop-run": (ControlHttpClient, "StopRun", StopRunRequest(run_id=1)),
        "register": (ControlHttpClient, "RegisterNode", RegisterNodeRequest(public_key=b"no key")),
        "acquire-task": (RuntimeHttpClient, "AcquireTask", AcquireTaskRequest(supported_task_types=["none"])),
        "get-nodes": (RuntimeHttpClient, "GetNodes", GetNodesRequest()),
        "pull-task-input": (RuntimeHttpClient, "PullTaskInput", PullTaskInputRequest()),
    }
    got = []
    for port in ports:
        for scheme in ("https", "http"):
            for name, (kind, method, request) in asked.items():
                interceptors = [RuntimeVersionHttpInterceptor(component_name="SuperExec")]
                with contextlib.suppress(Exception):
                    client = kind(f"{scheme}://127.0.0.1:{port}", interceptors=interceptors, verify=False, timeout=5)
                    with contextlib.closing(client):
                        got.append(_answer(port, name, client, method, request))
    return sorted(got)


def _answer(port: int, name: str, client: Any, method: str, request: Any) -> str:
    """Say that somebody answered; in brackets with which error, if any."""
    import httpx

    try:
        getattr(client, method)(request)
    except httpx.HTTPStatusError as error:
        return f"{port} {name} ({error.response.status_code})"
    return f"{port} {name}"


def probe(ports: list[int], doors: list[str]) -> dict[str, list[str]]:
    """Try everything."""
    signal.alarm(120)
    got = {
        "secrets": secrets(),
        "through processes": through_processes(),
        "writable": writable(),
        "signalled": signalled(),
        "traced": traced(),
        "commands": commands(),
        "kernel": kernel(),
        "doors": connected(doors),
        "answers": answered(ports),
    }
    signal.alarm(0)
    return got


if __name__ == "__main__":
    local, away = (argument.split(",") for argument in sys.argv[1:3])
    print(json.dumps(probe([int(port) for port in local], away)))
