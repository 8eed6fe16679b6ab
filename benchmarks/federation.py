# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federation on test hosts, for benchmarks: booted, deployed and trained on as an operator does it."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from common import ROOT, environment
from flower_processes import SERVER_APP, flower_processes

HOME = "/opt/flower"
CHECKOUT = hashlib.sha1(str(ROOT).encode()).hexdigest()[:6]  # as in testbed/vars.yml: two may be measured side by side
ALIVE, COMPLETED = ("pending", "starting", "running"), "finished:completed"
START_BUDGET = 120.0  # seconds until a ServerApp, or a SuperNode, must be there


class BenchmarkError(Exception):
    """Nothing can be measured; the message says why."""


class Federation:
    """One SuperLink and some SuperNodes as containers of this machine, with the digits dealt out to them."""

    def __init__(self, name: str, supernodes: int = 3) -> None:
        self.data = ROOT / ".cache" / "testbed" / name / "data"
        self.superlink = "superlink1"
        self.supernodes = [f"supernode{number}" for number in range(1, supernodes + 1)]
        self._inventory = ROOT / ".cache" / "testbed" / name / "inventory.yml"
        self._environment = {
            **environment(),
            "MOLECULE_SCENARIO_NAME": name,
            "TESTBED_SUPERNODES": str(supernodes),
        }
        self.asked: dict[str, Any] = {}  # the variables of the last training
        self._containers: dict[str, str] = {}
        self._first: dict[str, int] = {}

    @property
    def hosts(self) -> list[str]:
        """Every host."""
        return [self.superlink, *self.supernodes]

    @classmethod
    @contextmanager
    def at(cls, testbed: str | None, begin: Callable[[Federation], None]) -> Iterator[Federation]:
        """Lend the federation of a testbed; without one, begin with hosts of one's own, and remove them in the end."""
        federation = cls(testbed or "benchmarks")
        if testbed:
            yield federation
            return
        try:
            begin(federation)
            yield federation
        finally:
            federation.down()

    def boot(self) -> None:
        """Boot the hosts, or use those that are there."""
        self.play("testbed/up.yml")

    def up(self) -> None:
        """Boot the hosts and deploy the federation, or use those that are there."""
        self.boot()
        self.play("playbooks/site.yml", "testbed/deal.yml")

    def down(self) -> None:
        """Remove the hosts."""
        self.play("testbed/down.yml")

    def reboot(self, host: str) -> None:
        """Shut a host down in peace and start it again."""
        self._power("restart", "--time=20", host)

    def power_off(self, host: str) -> None:
        """Take the power from a host."""
        self._power("kill", "--signal=KILL", host)

    def power_on(self, host: str) -> None:
        """Start a host."""
        self._power("start", host)

    def destroy(self, host: str) -> None:
        """Take a host away with everything on it."""
        self._power("rm", "--force", "--time=0", host)

    def move(self, host: str, number: int) -> None:
        """Give a host another address on its network, and take the one that it had."""
        container = self._container(host)
        networks = self._inspect(host, "{{json .NetworkSettings.Networks}}")
        ((network, settings),) = json.loads(networks).items()
        address = f"{settings['IPAddress'].rpartition('.')[0]}.{number}"
        for words in (["disconnect", network, container], ["connect", f"--ip={address}", network, container]):
            done = self._call(["podman", "network", *words])
            if done.returncode:
                raise BenchmarkError(f"podman network {words[0]} failed for {host}: {done.stderr.strip()}")

    def in_network(self, host: str, *command: str) -> None:
        """Run a command of this machine in the network of a host."""
        done = self._call(["nsenter", f"--net=/proc/{self.first_process(host)}/ns/net", *command])
        if done.returncode:
            raise BenchmarkError(f"{command[0]} failed in the network of {host}: {done.stderr.strip()}")

    def restart(self) -> None:
        """Start everything anew, so that what a process took before is forgotten, and wait for the SuperNodes.

        They stop first and in peace: a SuperLink refuses the key of a node that it still takes for one that is online.
        """
        for host in self.supernodes:
            self.on(host, "systemctl", "stop", "flower-clientapps", "flower-supernode")
        self.on(self.superlink, "systemctl", "restart", "flower-superlink", "flower-superexec")
        begin = time.time()
        for host in self.supernodes:
            self.on(host, "systemctl", "start", "flower-supernode", "flower-clientapps")
        for host in self.supernodes:
            while not any("SuperNode ID" in line for _moment, line in self.journal(host, "flower-supernode", begin)):
                if time.time() > begin + START_BUDGET:
                    raise BenchmarkError(f"{host} did not find the SuperLink within {START_BUDGET:.0f} s.")
                time.sleep(1)

    def train(self, variables: Mapping[str, Any]) -> str:
        """Deploy an app and submit a run of it with train.yml; return the id of the run at once."""
        name, self.asked = variables["fl_training_name"], dict(variables)
        before = {run["run-id"] for run in self.runs()}
        self.play("playbooks/train.yml", variables={**variables, "training_wait": False})
        submitted = [run["run-id"] for run in self.runs() if run["run-id"] not in before]
        if len(submitted) != 1:
            raise BenchmarkError(f"The training {name} has submitted {len(submitted)} runs, not one.")
        return str(submitted[0])

    def await_end(self, run_id: str, budget: float) -> None:
        """Wait until a run has completed. It is watched from outside: to ask Flower costs a process each time."""
        seen, started = False, time.monotonic()
        while time.monotonic() < started + budget:
            alive = SERVER_APP in self.processes(self.superlink).values()
            seen = seen or alive
            if (seen and not alive) or (not seen and time.monotonic() > started + START_BUDGET):
                break
            time.sleep(1)
        else:
            self.flwr("stop", run_id, "local")
            raise BenchmarkError(f"Run {run_id} did not end within {budget:.0f} s.")
        self._check_completed(run_id)

    def _check_completed(self, run_id: str) -> None:
        for _attempt in range(40):  # the SuperLink may learn of it only when a heartbeat is missing
            run = next(run for run in self.runs() if run["run-id"] == run_id)
            if run["status"] not in ALIVE:
                break
            time.sleep(2)
        if run["status"] != COMPLETED:
            raise BenchmarkError(f"Run {run_id} is {run['status']}: {run.get('status-details')}")

    def processes(self, host: str) -> dict[int, str]:
        """Return Flower's processes on a host by their ids on this machine."""
        return flower_processes(self._namespace(host))

    def runs(self) -> list[dict[str, Any]]:
        """Return every run that the SuperLink knows."""
        return json.loads(self.flwr("list", "local"))["runs"]

    def flwr(self, *arguments: str) -> str:
        """Call Flower's command on the SuperLink host."""
        environment = [f"FLWR_HOME={HOME}/control/.flwr", "FLWR_TELEMETRY_ENABLED=0", "FLWR_DISABLE_UPDATE_CHECK=1"]
        command = ["env", *environment, f"{HOME}/bin/flwr", *arguments, "--format", "json"]
        return self.on(self.superlink, "runuser", "-u", "flower-control", "--", *command)

    def on(self, host: str, *command: str, given: str | None = None) -> str:
        """Run a command on a host as root; return what it says."""
        podman = ["podman", "exec", *(["--interactive"] if given is not None else []), self._container(host)]
        done = self._call([*podman, *command], given)
        if done.returncode:
            raise BenchmarkError(f"{command[0]} failed on {host}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def write(self, host: str, path: str, text: str) -> None:
        """Write a file on a host."""
        self.on(host, "sh", "-c", f"cat >{path}", given=text)

    def copy(self, source: Path, host: str, path: str) -> None:
        """Copy a file of this machine to a host."""
        done = self._call(["podman", "cp", str(source), f"{self._container(host)}:{path}"])
        if done.returncode:
            raise BenchmarkError(f"{source} could not be copied to {host}: {done.stderr.strip()}")

    def root(self, host: str) -> Path:
        """Return a host's file system as this machine sees it."""
        return Path(f"/proc/{self.first_process(host)}/root")

    def first_process(self, host: str) -> int:
        """Return the id that a host's first process has on this machine."""
        if host not in self._first:
            self._first[host] = int(self._inspect(host, "{{.State.Pid}}"))
        return self._first[host]

    def _inspect(self, host: str, what: str) -> str:
        return self._call(["podman", "inspect", "--format", what, self._container(host)]).stdout

    def journal(self, host: str, unit: str, since: float) -> Iterator[tuple[float, str]]:
        """Yield the moments and lines of a unit's journal."""
        command = ["journalctl", f"--unit={unit}", f"--since=@{since:.6f}", "--output=json", "--no-pager"]
        for line in self.on(host, *command).splitlines():
            entry = json.loads(line)
            message = entry["MESSAGE"]
            # Bytes, where a line holds colours.
            text = message if isinstance(message, str) else bytes(message or []).decode(errors="replace")
            yield int(entry["__REALTIME_TIMESTAMP"]) / 1e6, text

    def _power(self, verb: str, *arguments: str) -> None:
        *options, host = arguments
        done = self._call(["podman", verb, *options, self._container(host)])
        self._first.pop(host, None)
        if done.returncode:
            raise BenchmarkError(f"podman {verb} failed for {host}: {done.stderr.strip()}")

    def _container(self, host: str) -> str:
        if not self._containers:
            listed = self._call(["podman", "ps", "--format", "{{.Names}}"]).stdout.split()
            for name in self.hosts:
                ending = f"-{CHECKOUT}-{self._environment['MOLECULE_SCENARIO_NAME']}-{name}"
                self._containers[name] = next(container for container in listed if container.endswith(ending))
        return self._containers[host]

    def _namespace(self, host: str) -> str:
        return os.readlink(f"/proc/{self.first_process(host)}/ns/pid")

    def play(self, *playbooks: str, variables: Mapping[str, Any] | None = None) -> None:
        """Run playbooks on the hosts."""
        with _variables_file(variables or {}) as file:
            done = self._call(self._ansible(playbooks, file))
        if done.returncode:
            raise BenchmarkError(f"{' '.join(playbooks)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")

    def play_and_die(self, seconds: float, *playbooks: str, variables: Mapping[str, Any] | None = None) -> None:
        """Run playbooks from a controller that dies after so many seconds."""
        with _variables_file(variables or {}) as file:
            controller = subprocess.Popen(
                self._ansible(playbooks, file),
                cwd=ROOT, env=self._environment, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            with suppress(subprocess.TimeoutExpired):
                controller.wait(seconds)
                raise BenchmarkError(f"{' '.join(playbooks)} was over before its controller could die.")
            os.killpg(controller.pid, signal.SIGKILL)
            controller.wait()

    def _ansible(self, playbooks: Iterable[str], variables: str) -> list[str]:
        inventory = ["--inventory", str(self._inventory)] if self._inventory.exists() else []
        return ["ansible-playbook", *inventory, *playbooks, "--extra-vars", f"@{variables}"]

    def _call(self, command: list[str], given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, input=given, capture_output=True, text=True, check=False
        )


def require_podman(parser: argparse.ArgumentParser) -> None:
    """Refuse to start where there can be no test hosts."""
    if not shutil.which("podman"):
        parser.error("podman is missing: the test hosts are its containers. make bootstrap installs it.")
    if os.geteuid() != 0:
        parser.error("the test hosts are containers with a systemd and a network of their own: run this as root.")


@contextmanager
def _variables_file(variables: Mapping[str, Any]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as stream:
        json.dump(variables, stream)
        stream.flush()
        yield stream.name
