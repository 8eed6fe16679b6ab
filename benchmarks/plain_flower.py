# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test hosts that run Flower's own programs: with the arguments of the units, without the collection's launchers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from federation import HOME, BenchmarkError, Federation

SECRET = "superexec.secret"
# Unit: Flower's program, and what the unit must give it besides, which the launcher of the collection does without.
SERVER = {"flower-superlink": ("flower-superlink", ""), "flower-superexec": ("flower-superexec", "")}
SITE = {
    "flower-supernode": ("flower-supernode", ""),
    "flower-clientapps": (
        "flower-superexec",
        "StandardInput=null\nLoadCredential={secret}\nEnvironment=HOME=/tmp FLWR_HOME=/tmp/.flwr\n",
    ),
}
_LINE = re.compile(r"^ExecStart=(?P<launcher>\S+ -I \S+)(?P<arguments>(?:.*\\\n)*.*)$", re.MULTILINE)
_STANDARD_INPUT = re.compile(r"^StandardInput=file:(\S+)$", re.MULTILINE)


@contextmanager
def plain_flower(federation: Federation) -> Iterator[None]:
    """Have every host start Flower's own programs from the next start on, until the end; both want a restart."""
    try:
        for host in federation.hosts:
            for unit, (program, more) in (SERVER if host == federation.superlink else SITE).items():
                told = drop_in(federation.on(host, "systemctl", "cat", unit), program, more)
                folder = f"/run/systemd/system/{unit}.service.d"
                federation.on(host, "mkdir", "--parents", folder)
                federation.write(host, f"{folder}/plain.conf", told)
            federation.on(host, "systemctl", "daemon-reload")
        yield
    finally:
        for host in federation.hosts:
            federation.on(host, "sh", "-c", "rm --force /run/systemd/system/flower-*.service.d/plain.conf")
            federation.on(host, "systemctl", "daemon-reload")


def drop_in(unit: str, program: str, more: str) -> str:
    """Return what makes a unit run one of Flower's programs."""
    found = _LINE.search(unit)
    if not found:
        raise BenchmarkError(f"No launcher is in the unit of {program}:\n{unit}")
    arguments = found["arguments"]
    if standard_input := _STANDARD_INPUT.search(unit):
        more = more.format(secret=f"{SECRET}:{standard_input[1]}")
        arguments = arguments.replace("/dev/stdin", f"%d/{SECRET}")
    return f"[Service]\n{more}ExecStart=\nExecStart={HOME}/venv/bin/{program}{arguments}\n"
