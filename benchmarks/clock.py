# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stepping the clock of a test host. The hosts share the clock of their machine, which nobody may touch for a drill.

So a library (libfaketime) goes between the units of a host and the clock. Steps come while the processes run, timers
that count from the boot go on as they are, as with a real step; the journal and SSH keep the true time.
"""

from __future__ import annotations

from pathlib import Path

from federation import BenchmarkError, Federation

LIBRARIES = Path("/usr/lib")
LIBRARY, FACE, DROP_IN = "/usr/local/lib/drill-clock.so", "/etc/drill-clock", "drill-clock.conf"
UNIT = f"""\
[Service]
Environment=LD_PRELOAD={LIBRARY} FAKETIME_TIMESTAMP_FILE={FACE}
# Look at every call, on every clock but those that nobody can step, and share nothing between processes.
Environment=FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DISABLE_SHM=1
"""


def make_steppable(federation: Federation, host: str, *units: str) -> None:
    """Start units anew with a clock of their own, which shows the true time."""
    libraries = sorted(LIBRARIES.glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise BenchmarkError("libfaketime is missing: make bootstrap installs it.")
    federation.copy(libraries[0], host, LIBRARY)
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
