# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd knows of units, and what a unit of ours tells it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import socket
import subprocess
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .errors import FedopsError
from .jsonable import harmless

_TIMEOUT = 90  # seconds; a unit has this long to stop before systemd kills it
STATUS = 500  # characters of what a unit says of itself
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "Result", "MainPID", "NRestarts", "User", "ControlGroup",
    "ActiveEnterTimestampMonotonic", "MemoryMax", "UnitFileState", "NeedDaemonReload",
)  # fmt: skip


SHOW = ("show", f"--property={','.join(_PROPERTIES)}")  # what systemctl is asked


class SystemdError(FedopsError):
    """systemd refuses or cannot be asked; the message is its own."""


@dataclass(frozen=True)
class Unit:
    """A unit as systemd knows it."""

    name: str
    load: str = "unknown"
    active: str = "unknown"
    sub: str = ""
    result: str = ""
    pid: int = 0
    restarts: int = 0
    user: str = ""
    cgroup: str = ""
    since: float = 0.0  # when it was last active, in seconds of the clock that never steps
    memory_max: int = 0  # bytes; none when it is without a bound
    enabled: bool = False
    outdated: bool = False  # its file has changed since systemd read it

    @property
    def state(self) -> str:
        """Say in one word how it is."""
        return self.active if self.load in ("loaded", "unknown") else self.load.replace("-", " ")

    @property
    def is_known(self) -> bool:
        """Tell whether systemd has said how it is."""
        return self.active != "unknown"

    @property
    def runs(self) -> bool:
        """Tell whether it is at work, or about to be."""
        return self.active in ("active", "activating", "reloading")

    @property
    def lives(self) -> bool:
        """Tell whether it runs or is just ending, after which systemd may start it again."""
        return self.runs or self.active == "deactivating"


def show_units(*names: str) -> list[Unit]:
    """Return what systemd says of units; of unknown state where it says nothing."""
    try:
        return read_units(names, control(*SHOW, *names))
    except SystemdError:
        return [Unit(name) for name in names]


def read_units(names: t.Sequence[str], said: str) -> list[Unit]:
    """Return the units of what C(systemctl show) says, which has a paragraph for each of them in the order asked.

    SystemdError when it has another number of them.
    """
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in said.strip().split("\n\n")]
    if len(blocks) != len(names):
        raise SystemdError(f"systemctl show told of {len(blocks)} units but was asked for {len(names)}:\n{said}")
    return [_unit(name, values) for name, values in zip(names, blocks)]


def _unit(name: str, values: t.Mapping[str, str]) -> Unit:
    return Unit(
        name=name,
        load=values.get("LoadState", "unknown"),
        active=values.get("ActiveState", "unknown"),
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        pid=_number(values.get("MainPID")),
        restarts=_number(values.get("NRestarts")),
        user=values.get("User", ""),
        cgroup=values.get("ControlGroup", ""),
        since=_number(values.get("ActiveEnterTimestampMonotonic")) / 1e6,
        memory_max=_number(values.get("MemoryMax")),
        enabled=values.get("UnitFileState") == "enabled",
        outdated=values.get("NeedDaemonReload") == "yes",
    )


def control(*arguments: str) -> str:
    """Call C(systemctl)."""
    return _call(["systemctl", "--no-ask-password", *arguments])


def run_later(
    unit: str, what: str, seconds: t.Iterable[int], properties: t.Iterable[str], command: t.Iterable[str]
) -> None:
    """Have systemd run a command after so many seconds each, by a timer and a service that it makes and forgets."""
    _call(
        [
            "systemd-run", "--quiet", "--collect", f"--unit={unit}", f"--description={what}",
            *(f"--on-active={second}s" for second in seconds),
            *(f"--property={one}" for one in properties),
            *command,
        ]
    )  # fmt: skip


def journal(*arguments: str) -> str:
    """Return entries of the journal, a JSON object each line."""
    return _call(["journalctl", "--quiet", "--no-pager", "--output=json", *arguments])


def _call(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except OSError as error:
        raise SystemdError(f"{command[0]} cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise SystemdError(f"'{' '.join(command)}' took longer than {_TIMEOUT} s.") from error
    if done.returncode != 0:
        raise SystemdError(f"'{' '.join(command)}' failed: {harmless((done.stderr or done.stdout).strip())}")
    return done.stdout


def notify(**facts: t.Any) -> None:
    """Tell the manager that started us how we are, where there is one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    text = "\n".join(f"{name}={harmless(str(value), STATUS)}" for name, value in facts.items())
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
        link.connect("\0" + address[1:] if address.startswith("@") else address)
        link.sendall(text.encode("utf-8", "replace"))


def _number(text: str | None) -> int:
    try:
        return int(text or 0)
    except ValueError:
        return 0
