# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stepping the clock of a test host. The hosts share the clock of their machine, which nobody may touch for a drill.

So a library (``clock.c``) goes between the units of a host and the clock. Steps come while the processes run. Timers
that count from the boot go on as they are, as with a real step; the journal and SSH keep the true time.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from federation import BenchmarkError, Federation

SOURCE = Path(__file__).with_suffix(".c")
LIBRARY, FACE, DROP_IN = "/usr/local/lib/drill-clock.so", "/etc/drill-clock", "drill-clock.conf"
# The library of a small compiler asks for a stack that can be executed, which units that run no user code refuse.
UNIT = f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY}\nMemoryDenyWriteExecute=no\n"


def make_steppable(federation: Federation, host: str, *units: str) -> None:
    """Start units anew with a clock of their own, which shows the true time."""
    if not shutil.which("tcc"):
        raise BenchmarkError("tcc is missing: make bootstrap installs it.")
    with tempfile.TemporaryDirectory() as directory:
        library = Path(directory) / "clock.so"
        subprocess.run(["tcc", "-shared", f'-DFACE="{FACE}"', "-o", library, SOURCE], check=True)
        federation.copy(library, host, LIBRARY)
    step(federation, host, 0)
    for unit in units:
        directory = f"/etc/systemd/system/{_template(unit)}.service.d"
        federation.on(host, "mkdir", "--parents", directory)
        federation.write(host, f"{directory}/{DROP_IN}", UNIT)
    _restart(federation, host, *units)


def step(federation: Federation, host: str, seconds: int) -> None:
    """Set the clock of the units that many seconds after the true time."""
    # Renamed into place: it is read at every call.
    federation.write(host, f"{FACE}.new", f"{seconds:+d}\n")
    federation.on(host, "sh", "-c", f"chmod 0644 {FACE}.new && mv {FACE}.new {FACE}")


def give_back(federation: Federation, host: str, *units: str) -> None:
    """Start the units anew with the clock of the machine."""
    for unit in units:
        federation.on(host, "rm", "--recursive", f"/etc/systemd/system/{_template(unit)}.service.d/{DROP_IN}")
    _restart(federation, host, *units)


def _template(unit: str) -> str:
    """Return the name under which a drop-in holds for a unit, or for all units of a template."""
    name, at, _instance = unit.partition("@")
    return name + at


def _restart(federation: Federation, host: str, *units: str) -> None:
    federation.on(host, "systemctl", "daemon-reload")
    federation.on(host, "systemctl", "restart", *units)
