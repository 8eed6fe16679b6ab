# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fresh test hosts for benchmarks, and what a command costs: its time, its processor time, and that of the hosts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from common import ROOT, environment

SSH = """\
Host *
  User ansible
  IdentityFile {state}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {state}/known_hosts
  StrictHostKeyChecking yes
  PreferredAuthentications publickey
  ControlMaster auto
  ControlPersist 60s
  ControlPath {sockets}/%C
"""


class HostsError(Exception):
    """The hosts cannot be had, or do not do what they should; the message says what was said."""


@dataclass(frozen=True)
class Cost:
    """What a command has cost."""

    seconds: float
    controller_cpu_seconds: float  # of all processes that came from it on this machine
    hosts_cpu_seconds: float  # within the hosts, while it ran
    processors_used_by_others: float  # of 1.0, while it ran


class Hosts:
    """A SuperLink and some SuperNodes as containers of this machine, with nothing on them."""

    def __init__(self, name: str, supernodes: int) -> None:
        self.superlink = "superlink1"
        self.supernodes = [f"supernode{number}" for number in range(1, supernodes + 1)]
        self.state = ROOT / ".cache" / "testbed" / name
        self.inventory = self.state / "inventory.yml"
        self._variables = ["--extra-vars", json.dumps({"testbed_name": name, "testbed_supernodes": supernodes})]
        checkout = hashlib.sha1(str(ROOT).encode(), usedforsecurity=False).hexdigest()[:6]  # as testbed/vars.yml has it
        self._containers = {host: f"fedops-{checkout}-{name}-{host}" for host in self.names}

    @property
    def names(self) -> list[str]:
        """Every host."""
        return [self.superlink, *self.supernodes]

    def boot(self) -> None:
        """Boot the hosts, in place of those that a run before has left."""
        self.remove()
        self._call(["ansible-playbook", "testbed/up.yml", *self._variables])

    def remove(self) -> None:
        """Remove the hosts."""
        self._call(["ansible-playbook", "testbed/down.yml", *self._variables])

    def on(self, host: str, *command: str) -> str:
        """Run a command on a host as root; return what it says."""
        return self._call(["podman", "exec", self._containers[host], *command])

    def ssh_config(self, sockets: str) -> Path:
        """Write how ssh reaches the hosts, over one connection to each."""
        known = yaml.safe_load(self.inventory.read_text(encoding="utf-8"))["all"]["hosts"]
        lines = "".join(f"Host {name}\n  HostName {known[name]['ansible_host']}\n" for name in self.names)
        path = self.state / "ssh_config"
        path.write_text(lines + SSH.format(state=self.state, sockets=sockets), encoding="utf-8")
        return path

    def cost(self, command: Sequence[str], variables: Mapping[str, str], log: Path) -> Cost:
        """Run a command that must succeed and return what it has cost."""
        with tempfile.NamedTemporaryFile("r", suffix=".json") as figures:
            before = self._moment()
            own = [sys.executable, str(ROOT / "benchmarks" / "measured.py"), figures.name, str(log)]
            done = subprocess.run([*own, *command], cwd=ROOT, env={**environment(), **variables}, check=False)
            after = self._moment()
            if done.returncode:
                raise HostsError(f"{command[0]} failed:\n{log.read_text(errors='replace')[-4000:]}")
            told = json.load(figures)
        everybody, hosts, seconds = (end - begin for begin, end in zip(before, after, strict=True))
        others = (everybody - hosts - told["cpu_seconds"]) / (seconds * (os.cpu_count() or 1))
        return Cost(told["seconds"], told["cpu_seconds"], round(hosts, 3), round(min(max(others, 0.0), 1.0), 3))

    def _moment(self) -> tuple[float, float, float]:
        """Return the processor time of everybody and of the hosts, and the time."""
        return busy_seconds(), sum(cpu_seconds(self._process(host)) for host in self.names), time.monotonic()

    def _process(self, host: str) -> int:
        return int(self._call(["podman", "inspect", "--format", "{{.State.Pid}}", self._containers[host]]))

    def _call(self, command: Sequence[str]) -> str:
        done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stdout[-2000:] + done.stderr[-2000:]).strip()
            raise HostsError(f"{' '.join(command[:4])} failed:\n{said}")
        return done.stdout


def busy_seconds() -> float:
    """Return the processor time that everybody on this machine has used since it was booted."""
    user, nice, system, _idle, _iowait, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(process: int) -> float:
    """Return the processor time that the container of a process has used."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _number, controllers, group = line.removesuffix("/init.scope").split(":", 2)
        if "cpuacct" in controllers.split(","):
            return int(Path(f"/sys/fs/cgroup/cpuacct{group}/cpuacct.usage").read_text()) / 1e9
        if not controllers and (statistics := Path(f"/sys/fs/cgroup{group}/cpu.stat")).is_file():
            return int(statistics.read_text().split()[1]) / 1e6
    raise HostsError(f"Linux tells no processor time of process {process}.")
