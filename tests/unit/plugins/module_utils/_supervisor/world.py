# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SuperLink host to try the supervisor on, with a Flower, processes and a clock that the test moves."""

from __future__ import annotations

import datetime
import io
import json
import os
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    FlwrError,
    FlwrUnreachableError,
    Node,
    Run,
    Submission,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import Process
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import Journal
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.supervisor import Supervisor
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import TrainingFolder

AGAIN, FAILED, STOPPED, QUIESCED, GIVEN_UP, REFUSED = 75, 65, 10, 11, 69, 78
EPOCH = 1_800_000_000.0
ACTIVE = Unit("flower-superexec.service", "loaded", "active", "running", pid=7)
SUPERLINK = replace(ACTIVE, name="flower-superlink.service", pid=5)


class Killed(BaseException):
    """The supervisor dies here."""


def flower_time(at: float) -> str:
    return datetime.datetime.fromtimestamp(EPOCH + at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@dataclass
class World:
    """A SuperLink host: what happens in it is a list of functions by the second at which they are called."""

    root: object
    at: float = 0.0
    patience: float = 1200.0  # of the test: a life that does not end by then is one that never would
    runs: dict[str, Run] = field(default_factory=dict)
    living: list[Process] = field(default_factory=list)
    unit: Unit = ACTIVE
    superlink_unit: Unit = SUPERLINK
    memory_kills: int = 0
    away: bool = False
    nodes: dict[str, str] = field(default_factory=lambda: {"site1": "online", "site2": "online"})
    plan: list = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    called: list[tuple[float, str]] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)
    takes_up: bool = True
    tells_process: bool = True  # the app is the collection's
    skew: float = 0.0  # between the clock of Flower's times and that of the processes
    refusal: FlwrError | None = None
    killed_at_submission: bool = False
    killed: list[Process] = field(default_factory=list)
    states: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = str(self.root)
        self.folder = TrainingFolder(self.home, "default")
        self.desk = Desk(self.folder)
        self.journal = io.StringIO()
        self.processes = self
        (self.root / "state").mkdir()
        (self.root / "records").mkdir()
        known = [{"name": f"site{n}", "fingerprint": str(n), "node_id": f"site{n}"} for n in range(1, 10)]
        (self.root / "records" / "supernodes.json").write_text(json.dumps({"supernodes": known}))

    # --- the clock ---

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        while self.plan and self.plan[0][0] <= self.at:
            self.plan.pop(0)[1]()
        assert self.at < self.patience, "the supervisor waits for ever"

    # --- Flower ---

    def _call(self, command: str) -> None:
        self.calls.append(command)
        self.called.append((self.at, command))
        self.sleep(2)
        if self.away:
            raise FlwrUnreachableError("Nobody answers.")

    def list(self) -> list[Run]:
        self._call("list")
        return list(self.runs.values())

    def submit(self, app: str, run_config: str | None) -> Submission:
        self._call("run")
        if self.refusal:
            raise self.refusal
        self.configs.append(run_config or "")
        run_id = str(len(self.runs) + 1)
        self.runs[run_id] = Run(run_id, "pending", None, "abcd", flower_time(self.at))
        self.later(1, lambda: self.takes_up and self.start(run_id))
        if self.killed_at_submission:
            self.killed_at_submission = False
            raise Killed
        return Submission(run_id, "abcd")

    def stop(self, run_id: str) -> bool:
        self._call(f"stop {run_id}")
        if not self.runs[run_id].alive:
            return False
        self.set(run_id, status="stopped")
        return True

    def log(self, run_id: str, lines: int) -> list[str]:
        return ["Traceback", "RuntimeError: no data"]

    def supernodes(self) -> list[Node]:
        self._call("nodes")
        return [Node(name, status, None, None, None) for name, status in self.nodes.items()]

    # --- the host ---

    def executor(self) -> Unit:
        return self.unit

    def superlink(self) -> Unit:
        return self.superlink_unit

    def memory_counts(self, process: Process) -> str:
        return "counts" if process in self.living else ""

    def memory_kills_of(self, counts: str) -> int | None:
        return self.memory_kills if counts else None

    def would_show_serverapps(self, unit: Unit) -> bool:
        return True

    def serverapps(self) -> list[Process]:
        return list(self.living)

    def lives(self, process: Process) -> bool:
        return process in self.living

    def began(self, process: Process) -> float:
        return EPOCH + process.ticks

    def kill(self, process: Process) -> None:
        if process in self.living:
            self.living.remove(process)
            self.killed.append(process)

    # --- what happens ---

    def later(self, seconds: float, happening) -> None:
        self.plan.append((self.at + seconds, happening))
        self.plan.sort(key=lambda entry: entry[0])

    def killed_after(self, seconds: float) -> None:
        """Have the supervisor live until it is killed."""

        def die() -> None:
            raise Killed

        self.later(seconds, die)
        with pytest.raises(Killed):
            self.live()

    def set(self, run_id: str, **changes: object) -> None:
        self.runs[run_id] = replace(self.runs[run_id], **changes)

    def start(self, run_id: str) -> None:
        if self.runs[run_id].status == "pending":
            self.set(run_id, status="running", starting_at=flower_time(self.at - self.skew))
            process = Process(100 + int(run_id), int(self.at))
            self.living.append(process)
            told = {"process": {"pid": process.pid, "ticks": process.ticks}} if self.tells_process else {}
            self.write("effective", {"run_id": run_id, "configuration_hash": "h", **told})

    def die(self, run_id: str) -> None:
        self.living = [process for process in self.living if process.pid != 100 + int(run_id)]

    def finish(self, run_id: str, rounds: int = 3) -> None:
        self.write("result", {"run_id": run_id, "configuration_hash": "h", "rounds": rounds, "loss": 0.5})
        self.set(run_id, status="completed")
        self.die(run_id)

    def fail(self, run_id: str, reason: str = "failed", message: str = "no data") -> None:
        self.write("failure", {"run_id": run_id, "reason": reason, "message": message})
        self.set(run_id, status="failed", details=f"ServerApp failed with exception: {message}")
        self.die(run_id)

    def round(self, number: int, run_id: str = "1") -> None:
        event = {"event": "round_finished", "round": number, "num_rounds": 3, "run_id": run_id, "seconds": 2.0,
                 "configuration_hash": "h"}  # fmt: skip
        os.makedirs(self.folder.published, exist_ok=True)
        with open(f"{self.folder.published}/history.jsonl", "a") as stream:
            stream.write(json.dumps(event) + "\n")

    def write(self, stem: str, value: dict) -> None:
        os.makedirs(self.folder.published, exist_ok=True)
        with open(f"{self.folder.published}/{stem}.json", "w") as stream:
            json.dump(value, stream)

    # --- the supervisor ---

    def ask(self, **changes: object) -> None:
        config = 'resume = "auto"\nnum-rounds = 3\n'
        request = Request("default", "/app", config, "h", 3, needed_nodes=2, request_id="1")
        self.desk.ask(replace(request, **changes))

    def live(self) -> int:
        """Let one supervisor live; return its exit status."""
        flwr = SimpleNamespace(
            home=self.home, runs=self.list, submit=self.submit, stop=self.stop, log=self.log, supernodes=self.supernodes
        )
        host = SimpleNamespace(
            processes=self, executor=self.executor, superlink=self.superlink, memory_kills=self.memory_kills_of,
            memory_counts=self.memory_counts, would_show_serverapps=self.would_show_serverapps,
        )  # fmt: skip
        journal = Journal("default", self.journal)
        return Supervisor(self.desk, self.desk.request, flwr, host, self, journal).run()

    @property
    def said(self) -> list[str]:
        return self.journal.getvalue().splitlines()

    @property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.said if line.startswith("{")]

    def named(self, name: str) -> list[dict]:
        return [event for event in self.events if event["event"] == name]

    @property
    def memory(self):
        return self.desk.memory


def continuous(world, key: str = "num-rounds", **values: object) -> None:
    world.ask(mode="continuous", run_config=f'resume = "never"\n{key} = 3\n', **values)


def sessions(world) -> list[tuple]:
    return [(event["session"], event["reason"], event["num_rounds"]) for event in world.named("session_started")]
