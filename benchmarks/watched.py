# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation on which every app process tells its moments, and the trainings that are run on it to learn them."""

from __future__ import annotations

import json
import shlex
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import ROOT
from federation import HOME, BenchmarkError, Federation
from phases import Exchange

STOPWATCH = ROOT / "benchmarks" / "round" / "stopwatch.py"
TASK = ROOT / "benchmarks" / "model_size" / "task.py"
ARRAYS = 10  # of its model
FAB = ROOT / "files" / "fab" / "fedops_app"
SLOW = ROOT / "testbed" / "slow_task.txt"
NAME = "stopwatch"
# What app processes say to its socket goes to the journal of the host, which is closed to them.
LISTEN = (
    "systemd-run", f"--unit={NAME}",
    f"--socket-property=ListenDatagram=/run/{NAME}", "--socket-property=RemoveOnStop=yes",
    "--property=StandardInput=socket", "--property=StandardOutput=journal", f"--property=SyslogIdentifier={NAME}",
    "cat",
)  # fmt: skip
DEAF = ("systemctl", "stop", f"{NAME}.socket", f"{NAME}.service")


class WatchedHosts:
    """The hosts of a federation, with the stopwatch in their virtual environments."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation

    def run(self, variables: Mapping[str, Any], budget: float) -> Exchange:
        """Have one training trained and return its moments."""
        hosts = self._federation
        asked = time.time()
        hosts.await_end(hosts.train(variables), budget)
        told = {host: self._told(host, asked) for host in hosts.hosts}
        for host, moments in told.items():
            if not moments:
                raise BenchmarkError(f"No app process of {host} told its moments: the stopwatch did not run in it.")
        begin = told[hosts.superlink][0]["begun"]
        return Exchange(
            server=told[hosts.superlink],
            clients={host: told[host] for host in hosts.supernodes},
            supernodes={host: list(hosts.journal(host, "flower-supernode", begin)) for host in hosts.supernodes},
        )

    def _told(self, host: str, since: float) -> list[dict[str, Any]]:
        command = ["journalctl", "--quiet", "--no-pager", "--all", f"--identifier={NAME}", "--output=cat"]
        return [json.loads(line) for line in self._federation.on(host, *command, f"--since=@{since:.6f}").splitlines()]


@contextmanager
def sized_task(megabytes: int, arrays: int = ARRAYS) -> Iterator[Path]:
    """Give the file of a task whose model has a size, in so many arrays."""
    source = TASK.read_text(encoding="utf-8")
    for name, usual, wanted in (("MEGABYTES", 1, megabytes), ("LAYERS", ARRAYS, arrays)):
        source = source.replace(f"\n{name} = {usual}\n", f"\n{name} = {wanted}\n")
    with _file(source) as task:
        yield task


@contextmanager
def slow_task() -> Iterator[Path]:
    """Give the file of the app's own task, at which a site takes longer, and comes to the same."""
    with _file("\n\n".join(part.read_text(encoding="utf-8") for part in (FAB / "task.py", SLOW))) as task:
        yield task


@contextmanager
def _file(source: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as scratch:
        task = Path(scratch) / "task.py"
        task.write_text(source, encoding="utf-8")
        yield task


@contextmanager
def watched(federation: Federation, keep_hosts: bool) -> Iterator[WatchedHosts]:
    """Boot hosts, deploy the federation, put the stopwatch in place, and take all of it away in the end."""
    try:
        federation.up()
        packages = federation.on(federation.superlink, "sh", "-c", f"echo {HOME}/venv/lib/python3*/site-packages")
        module, hook = (f"{packages.strip()}/stopwatch.{suffix}" for suffix in ("py", "pth"))
        for host in federation.hosts:
            federation.write(host, module, STOPWATCH.read_text(encoding="utf-8"))
            federation.write(host, hook, "import stopwatch; stopwatch.install()\n")
            federation.on(host, "sh", "-c", f"test -S /run/{NAME} || {shlex.join(LISTEN)}")
        yield WatchedHosts(federation)
        for host in federation.hosts:
            federation.on(host, "rm", "-f", module, hook)
            federation.on(host, *DEAF)
    finally:
        if not keep_hosts:
            federation.down()
