# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lives of the supervisor, with a Flower, processes and a clock that the test moves."""

from __future__ import annotations

import datetime
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base import guarded
from ansible_collections.fedops.flower.plugins.module_utils._base.systemd import Unit
from ansible_collections.fedops.flower.plugins.module_utils._flower import app_record
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import (
    FlwrError,
    FlwrUnreachableError,
    Node,
    Run,
    Submission,
)
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import INVALID_RUN_CONFIG
from ansible_collections.fedops.flower.plugins.module_utils._flower.processes import Process
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import program as _supervise
from ansible_collections.fedops.flower.plugins.module_utils._supervisor import submission, watch
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.desk import Desk
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.journal import EVENTS, Journal
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.memory import Memory
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.request import Request
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.sessions import Sessions
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.supervisor import Supervisor
from ansible_collections.fedops.flower.plugins.module_utils._training import folder as _trainings
from ansible_collections.fedops.flower.plugins.module_utils._training import quiesce_order
from ansible_collections.fedops.flower.plugins.module_utils._training.folder import LedgerEntry, TrainingFolder
from ansible_collections.fedops.flower.plugins.module_utils._training.quiesce_order import give_order, lift_order

pytestmark = pytest.mark.usefixtures("own_account")

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
        assert self.at < 20_000, "the supervisor waits for ever"

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


@pytest.fixture
def world(tmp_path, monkeypatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(submission.time, "time", lambda: EPOCH + world.at)  # one module, wherever it is read
    monkeypatch.setattr(quiesce_order, "boot_seconds", world.monotonic)
    yield world
    for event in world.events if isinstance(world.journal, io.StringIO) else ():
        assert set(event) == {"event", "training", "time", "message", *EVENTS[event["event"]].facts}


def test_a_training_is_submitted_followed_and_completed(world) -> None:
    world.ask()
    for number in (1, 2, 3):
        world.later(5 + 5 * number, lambda number=number: world.round(number))
    world.later(21, lambda: world.finish("1"))
    assert world.live() == 0
    assert [event["event"] for event in world.events] == [
        "supervision_started", "run_submitted", "round_finished", "round_finished", "round_finished",
        "training_completed",
    ]  # fmt: skip
    assert world.events[-1]["rounds"] == 3
    assert world.said[-1] == "default: completed. 3 rounds, loss 0.5000"
    assert (world.memory.state, world.memory.ended, world.memory.restart_count) == ("completed", "1", 0)
    assert [(run.run_id, run.configuration_hash, run.num_rounds) for run in world.folder.ledger] == [("1", "h", 3)]


def test_what_is_completed_is_not_trained_again_at_the_next_boot(world) -> None:
    world.ask()
    world.later(10, lambda: world.finish("1"))
    assert world.live() == 0
    calls = len(world.calls)
    assert world.live() == 0
    assert len(world.calls) == calls
    assert world.said[-1] == "default: completed, already before."


def test_a_serverapp_that_is_killed_has_its_run_stopped_and_the_next_submitted_at_once(world) -> None:
    world.ask()
    world.later(10, lambda: world.round(1))
    world.later(12, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert world.runs["1"].status == "stopped"
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    # The question that stops the run, and the submission: nothing else stands between the death and the next run.
    assert [call for at, call in world.called if at >= 12][:2] == ["stop 1", "run"]
    assert [at for at, call in world.called if call == "run"][1] - 12 < 5
    assert world.named("run_lost")[0] | {"time": 0} == {
        "event": "run_lost", "training": "default", "time": 0, "message": "The process of the ServerApp is gone.",
        "reason": "serverapp_gone", "run_id": "1", "round": 1, "restarts": 1,
    }  # fmt: skip
    assert world.memory.restart_count == 1


def test_a_superexec_that_is_killed_is_named_as_the_reason(world) -> None:
    world.ask()

    def kill() -> None:
        world.die("1")
        world.set("1", status="failed", details="Task failed with unknown error.")
        world.unit = replace(ACTIVE, active="activating", pid=0)

    world.later(12, kill)
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "superexec_gone"
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert [call for at, call in world.called if at >= 12][:2] == ["list", "run"]


@pytest.mark.parametrize("adopted", [False, True])
def test_a_serverapp_that_the_kernel_killed_for_memory_is_named_as_such(world, adopted) -> None:
    world.ask()

    def kill() -> None:
        world.die("1")
        world.memory_kills = 4

    def die() -> None:
        raise Killed

    world.memory_kills = 3  # of others, long ago
    if adopted:
        world.later(10, die)
        with pytest.raises(Killed):
            world.live()
    world.later(12, kill)
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "out_of_memory"


def test_a_superlink_that_restarts_is_waited_for_and_nothing_is_submitted_again(world) -> None:
    world.ask()

    def back() -> None:
        world.away, world.superlink_unit = False, replace(world.superlink_unit, pid=9)

    def gone() -> None:
        world.away, world.superlink_unit = True, replace(world.superlink_unit, active="activating", pid=0)

    world.later(70, gone)
    world.later(85, back)
    world.later(200, lambda: world.finish("1"))
    assert world.live() == 0
    assert len(world.named("superlink_restarted")) == 1
    assert [event["reason"] for event in world.named("waiting")] == ["superlink"]
    assert len(world.named("waiting_over")) == 1
    assert world.calls.count("run") == 1


def test_a_superlink_that_is_away_at_the_beginning_is_waited_for(world) -> None:
    world.ask()
    world.away = True
    world.later(30, lambda: setattr(world, "away", False))
    world.later(60, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.named("waiting")[0]["reason"] == "superlink"


def test_a_serverapp_that_dies_while_the_superlink_is_away_is_judged_when_it_is_back(world) -> None:
    world.ask()
    world.later(70, lambda: setattr(world, "away", True))
    world.later(80, lambda: world.die("1"))
    world.later(130, lambda: setattr(world, "away", False))
    assert world.live() == AGAIN
    assert (world.at > 130, world.memory.restarts[-1]["reason"]) == (True, "serverapp_gone")


def test_an_app_that_fails_is_told_with_its_log_and_not_retried_also_not_at_the_next_boot(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1"))
    assert world.live() == FAILED
    assert world.said[-3:] == [
        "RuntimeError: no data", world.said[-2], "default: failed in the app, which would fail again. no data",
    ]  # fmt: skip
    assert world.events[-1]["log_tail"] == ["Traceback", "RuntimeError: no data"]
    calls = len(world.calls)
    assert (world.live(), len(world.calls)) == (FAILED, calls)


def test_an_app_that_fails_is_retried_when_that_is_asked_for_until_it_is_given_up(world) -> None:
    world.ask(retry_failed=True, attempts=3)
    ends = []
    for number in ("1", "2", "3"):
        world.later(10, lambda number=number: world.fail(number))
        ends.append(world.live())
    assert ends == [AGAIN] * 3
    assert world.live() == GIVEN_UP
    assert world.named("training_given_up")[0]["restarts"] == 3
    assert [event["reason"] for event in world.named("waiting")] == ["pause"]


def test_a_new_request_clears_a_failure(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1"))
    assert world.live() == FAILED
    world.ask(request_id="2")
    world.later(10, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_run_that_ended_for_want_of_supernodes_is_followed_by_waiting_for_them_by_name(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1", "too_few_nodes", "Only 1 of 2"))
    world.later(11, lambda: world.nodes.update(site2="offline"))
    assert world.live() == AGAIN
    world.later(100, lambda: world.nodes.update(site2="online"))
    world.later(170, lambda: world.finish("2"))
    assert world.live() == 0
    assert [(event["reason"], event["waiting_for"]) for event in world.named("waiting")] == [("nodes", ["site2"])]
    assert world.memory.fruitless == 0


def test_supernodes_that_nobody_of_the_inventory_registered_do_not_count(world) -> None:
    world.nodes.update({"66": "online", "67": "offline"})
    test_a_run_that_ended_for_want_of_supernodes_is_followed_by_waiting_for_them_by_name(world)


def test_in_a_round_they_do_not_count_either(world) -> None:
    world.nodes.update({"66": "online", "67": "offline"})
    test_a_running_round_that_lacks_supernodes_says_for_whom_it_waits_and_is_not_stalled(world)


def test_a_directory_that_another_run_holds_is_waited_for_and_the_training_is_not_given_up(world) -> None:
    world.ask(attempts=2)
    ended = []
    for number in ("1", "2", "3"):
        world.later(80, lambda number=number: world.fail(number, "directory_busy", "another run is saving there"))
        assert world.live() == AGAIN
        ended.append(world.at)
    world.later(90, lambda: world.finish("4"))
    assert world.live() == 0
    submitted = [at for at, call in world.called if call == "run"][1:]
    assert [begun - end >= 60 for begun, end in zip(submitted, ended, strict=True)] == [True] * 3
    assert {event["reason"] for event in world.named("waiting")} == {"directory_busy"}
    assert world.memory.fruitless == 0


def test_a_training_in_the_directory_of_one_that_goes_on_is_refused_before_anything_is_submitted(world) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    other = Desk(TrainingFolder(world.home, "other"))
    other.ask(Request("other", "/app", config, request_id="1"))
    os.utime(f"{other.folder.path}/request.json", (1, 1))  # it was there before
    world.ask(run_config=config)
    assert (world.live(), world.runs) == (REFUSED, {})
    assert world.memory.reason == "directory_shared"
    assert "fl_checkpoint_path is /c, where the training other saves" in world.said[-1]
    other.stop()
    world.ask(run_config=config, request_id="2")
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0


def test_a_training_whose_run_is_lost_keeps_its_directory_from_one_that_waits_for_it(world) -> None:
    config = 'checkpoint-enabled = true\ncheckpoint-path = "/c"\nnum-rounds = 3\n'
    world.ask(run_config=config)
    world.later(10, lambda: world.round(1))
    world.later(12, lambda: world.die("1"))
    other = Desk(TrainingFolder(world.home, "other"))
    other.ask(Request("other", "/app", config, request_id="1"))
    os.utime(f"{other.folder.path}/request.json", (1, 1))
    other.remember(Memory(request_id="1", state="running", run_id="9", runs=1))
    Desk(world.folder).remember(Memory(request_id="1", began=True))
    assert world.live() == AGAIN
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_running_round_that_lacks_supernodes_says_for_whom_it_waits_and_is_not_stalled(world) -> None:
    world.ask(stall_floor=100, first_round=100)
    world.later(20, lambda: world.nodes.update(site1="offline"))
    world.later(1000, lambda: world.nodes.update(site1="online"))
    world.later(1050, lambda: world.round(1))
    world.later(1060, lambda: world.finish("1"))
    assert world.live() == 0
    assert [event["waiting_for"] for event in world.named("waiting")] == [["site1"]]
    assert world.named("run_lost") == []


def test_a_run_that_stalls_is_stopped_and_its_process_killed(world) -> None:
    world.ask(stall_floor=50)
    world.later(10, lambda: world.round(1))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "stalled"
    assert world.runs["1"].status == "stopped"
    assert [process.pid for process in world.killed] == [101]


def test_a_serverapp_that_is_frozen_until_flower_gives_it_up_does_not_stay(world) -> None:
    world.ask()
    world.later(100, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "no_heartbeat"
    assert [process.pid for process in world.killed] == [101]


def test_a_pending_run_says_that_the_superexec_is_missing_and_goes_on_when_it_is_back(world) -> None:
    world.ask()
    world.takes_up = False
    world.unit = replace(ACTIVE, active="inactive", pid=0)

    def back() -> None:
        world.unit = ACTIVE
        world.start("1")

    world.later(60, back)
    world.later(80, lambda: world.finish("1"))
    assert world.live() == 0
    (waiting,) = world.named("waiting")
    assert (waiting["reason"], "inactive" in waiting["message"]) == ("superexec", True)


def test_an_operator_who_stops_it_stops_the_run_and_it_stays_so(world) -> None:
    world.ask()
    world.later(20, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.state, world.living) == ("stopped", "stopped", [])
    calls = len(world.calls)
    assert (world.live(), len(world.calls), world.desk.is_stopped) == (STOPPED, calls, True)


def test_a_pending_run_that_flower_cannot_be_told_to_stop_is_stopped_when_it_answers(world) -> None:
    world.ask()
    world.takes_up = False
    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)

    def nothing_is_said_to_be_over() -> None:
        assert (world.memory.state, world.memory.reason, world.memory.ended) == ("waiting", "superlink", "")
        assert world.memory.ending["reason"] == "operator"

    world.later(100, nothing_is_said_to_be_over)
    world.later(120, lambda: setattr(world, "away", False))
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.state, world.memory.ended) == ("stopped", "stopped", "1")


def test_a_supervisor_that_dies_while_it_cannot_stop_a_run_does_so_in_its_next_life(world) -> None:
    world.ask()
    world.takes_up = False

    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)
    world.killed_after(80)
    world.away = False
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.memory.ended) == ("stopped", "1")


def test_a_run_under_way_is_stopped_by_a_supervisor_that_is_started_although_it_is_to_stand_still(world) -> None:
    world.ask()

    world.killed_after(20)
    world.desk.stop()
    assert world.live() == STOPPED
    assert (world.runs["1"].status, world.living) == ("stopped", [])


def test_a_run_whose_process_is_known_is_ended_by_that_when_flower_cannot_be_told(world) -> None:
    world.ask()
    world.later(20, lambda: setattr(world, "away", True))
    world.later(40, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.at < 60, world.living) == (True, [])


def test_a_run_that_is_stopped_by_hand_stays_stopped(world) -> None:
    world.ask()
    world.later(70, lambda: (world.set("1", status="stopped"), world.die("1")))
    assert world.live() == STOPPED
    assert world.desk.is_stopped
    assert world.named("training_stopped")[0]["reason"] == "flwr_stop"
    world.ask(request_id="2")
    world.later(20, lambda: world.finish("2"))
    assert world.live() == 0


@pytest.mark.parametrize("end", ["finish", "round"])
def test_a_supervisor_that_is_killed_is_followed_by_one_that_adopts_the_run(world, end) -> None:
    world.ask()

    world.killed_after(20)
    if end == "finish":
        world.finish("1")
    else:
        world.later(20, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("run") == 1
    assert [event["run_id"] for event in world.named("run_adopted")] == ["1"]


def test_a_run_that_failed_while_nobody_watched_is_told_and_not_retried(world) -> None:
    world.ask()

    world.killed_after(20)
    world.fail("1")
    assert (world.live(), world.calls.count("run")) == (FAILED, 1)


def test_a_run_whose_submission_was_answered_to_a_dead_supervisor_is_found(world) -> None:
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    assert world.folder.ledger == []
    world.later(30, lambda: world.finish("1"))
    assert world.live() == 0
    assert (world.calls.count("run"), [run.run_id for run in world.folder.ledger]) == (1, ["1"])


def test_a_run_of_somebody_else_is_not_taken_for_ours(world) -> None:
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.plan.clear()  # it is still pending
    other = TrainingFolder(world.home, "other")
    other.record(LedgerEntry("1", "x", "abcd", 3, ""))
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert [run.run_id for run in world.folder.ledger] == ["2"]


def test_a_run_of_before_the_submission_is_not_taken_for_it(world) -> None:
    """Somebody submitted the same app by hand."""
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(world.at))
    world.sleep(60)
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (["2"], 1)


@pytest.mark.parametrize(("deployed", "claimed"), [("abcd", ["1"]), ("other", ["2"]), (None, ["1", "2"])])
def test_a_run_of_another_fab_is_not_taken_for_ours(world, monkeypatch, deployed, claimed) -> None:
    """Somebody submitted another app while ours was on its way."""
    monkeypatch.setattr(submission, "deployed_fab_hash", lambda home, app: deployed)
    world.ask()
    world.killed_at_submission = True
    with pytest.raises(Killed):
        world.live()
    world.runs["2"] = Run("2", "pending", None, "other", flower_time(world.at))
    world.later(30, lambda: world.finish(claimed[-1]))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (claimed, 1)


def test_a_submission_whose_answer_is_lost_is_looked_for_and_not_repeated(world) -> None:
    """The SuperLink took the run, and went away before it could say so."""
    world.ask()
    honest = world.submit

    def silent(app: str, run_config: str | None) -> Submission:
        honest(app, run_config)
        raise FlwrUnreachableError("Nobody answers.")

    world.submit = silent
    world.later(30, lambda: world.finish("1"))
    assert world.live() == 0
    assert ([run.run_id for run in world.folder.ledger], world.calls.count("run")) == (["1"], 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_stopped_while_flower_accepts_a_run_writes_it_down_first(world, number) -> None:
    told: list[list[str]] = []
    honest = world.submit

    def disturbed(app: str, run_config: str | None) -> Submission:
        answer = honest(app, run_config)
        signal.pthread_kill(threading.get_ident(), number)
        return answer

    world.submit = disturbed
    world.ask()
    world.later(30, lambda: world.finish("1"))
    before = signal.signal(number, lambda *dummy: told.append([run.run_id for run in world.folder.ledger]))
    try:
        assert (world.live(), told) == (0, [["1"]])
    finally:
        signal.signal(number, before)


def test_a_supervisor_that_dies_while_it_stops_a_run_does_not_take_that_for_an_operators_order(world) -> None:
    world.ask()
    world.later(12, lambda: world.die("1"))

    def stop(run_id: str) -> bool:
        world.set(run_id, status="stopped")
        raise Killed

    honest, world.stop = world.stop, stop
    with pytest.raises(Killed):
        world.live()
    world.stop = honest
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("2"))
    assert (world.live(), world.desk.is_stopped) == (0, False)


def test_a_training_that_begins_anew_does_so_once(world) -> None:
    world.ask(run_config='resume = "never"\nnum-rounds = 3\n', force=True)
    world.folder.record(LedgerEntry("0", "h", "abcd", 3, ""))
    world.write("result", {"run_id": "0", "configuration_hash": "h", "rounds": 3})
    world.later(5, lambda: os.unlink(f"{world.folder.published}/result.json"))  # as the app does when it begins anew
    world.later(12, lambda: world.die("1"))
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert [config.splitlines()[0] for config in world.configs] == ['resume = "never"', 'resume = "auto"']


def test_a_run_that_was_asked_for_fewer_rounds_is_followed_by_one_for_the_rest(world) -> None:
    world.ask(num_rounds=5)
    world.folder.record(LedgerEntry("1", "h", "abcd", 3, ""))
    world.runs["1"] = Run("1", "pending", None, "abcd", flower_time(0))
    world.start("1")
    world.later(20, lambda: world.finish("1", 3))
    world.later(60, lambda: world.finish("2", 5))
    assert world.live() == 0
    assert world.calls.count("run") == 1


@pytest.mark.parametrize(("before", "code", "told"), [("beef", "", True), ("abcd", "", False), ("beef", "a", False)])
def test_a_training_of_before_says_that_it_goes_on_with_another_app(world, monkeypatch, before, code, told) -> None:
    monkeypatch.setattr(submission, "deployed_fab_hash", lambda home, app: "abcdef01")
    world.folder.record(LedgerEntry("0", "h", before, 3, "t"))
    world.ask(code=code)
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0
    said = "/app holds another app than run 0 was of (its FAB is abcdef01, and was beef)"
    assert any(said in line for line in world.said) is told


def test_a_run_is_written_down_with_the_code_that_was_asked_for(world) -> None:
    world.ask(code="a" * 64)
    world.later(10, lambda: world.finish("1"))
    assert world.live() == 0
    assert [run.code for run in world.folder.ledger] == ["a" * 64]
    # The same is finished; with other code it is another training.
    world.ask(code="a" * 64, request_id="2")
    assert world.live() == 0
    assert len(world.runs) == 1
    world.ask(code="b" * 64, request_id="3")
    world.later(10, lambda: world.finish("2"))
    assert world.live() == 0
    assert [run.code for run in world.folder.ledger] == ["a" * 64, "b" * 64]


def test_another_configuration_that_is_alive_is_refused(world) -> None:
    world.ask()
    world.folder.record(LedgerEntry("1", "other", "abcd", 3, ""))
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(0))
    assert world.live() == REFUSED
    assert world.events[-1]["reason"] == "conflict"


def test_force_stops_what_is_alive(world) -> None:
    world.ask(force=True)
    world.folder.record(LedgerEntry("1", "other", "abcd", 3, ""))
    world.runs["1"] = Run("1", "running", None, "abcd", flower_time(0))
    world.later(20, lambda: world.finish("2"))
    assert (world.live(), world.runs["1"].status) == (0, "stopped")


@pytest.mark.parametrize(("code", "status"), [(INVALID_RUN_CONFIG, REFUSED), (None, AGAIN), (99, AGAIN)])
def test_a_refused_submission_ends_for_good_only_when_it_would_be_refused_again(world, code, status) -> None:
    world.ask()
    world.refusal = FlwrError("Flower says: no.", code)
    assert world.live() == status
    assert (world.memory.submitting, world.memory.fruitless) == ("", 1 if status == AGAIN else 0)


@pytest.mark.parametrize(("deployed", "status"), [("ab" * 32, AGAIN), ("abcd" * 16, 0), ("abcd", 0), (None, 0)])
def test_a_run_of_another_fab_than_is_deployed_is_stopped_and_not_followed(
    world, deployed, status, monkeypatch
) -> None:
    world.ask()
    monkeypatch.setattr(app_record, "deployed_fab_hash", lambda home, app: deployed)
    world.later(20, lambda: world.finish("1"))
    assert (world.live(), world.memory.submitting) == (status, "")
    assert world.runs["1"].status == ("completed" if status == 0 else "stopped")
    if status:
        assert (
            world.folder.ledger,
            "its FAB is abcd, but what is deployed" in world.named("flower_refused")[0]["message"],
        ) == ([], True)


def test_a_copy_of_an_app_that_is_not_what_was_put_aside_is_not_submitted(world, monkeypatch) -> None:
    def refuse(path: str) -> None:
        raise FlwrError(f"{path} is not the app that was put aside for this training")

    world.ask()
    monkeypatch.setattr(submission, "check_copy", refuse)
    assert world.live() == AGAIN
    assert world.calls.count("run") == 0
    assert world.memory.submitting == ""
    assert "/app is not the app that was put aside" in world.named("flower_refused")[0]["message"]


def test_a_flower_that_refuses_everything_is_asked_with_growing_pauses_and_then_given_up(world) -> None:
    world.ask(attempts=5)

    world.refusal = FlwrError("Flower says: Read-only file system.")
    ends = [world.live() for dummy in range(5)]
    assert ends == [AGAIN] * 4 + [GIVEN_UP]
    begun = [at for at, dummy in world.called]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(begun)] == [2, 7, 17, 47]
    assert world.said[-1].endswith("The last one: Flower says: Read-only file system.")


def test_a_superlink_that_has_lost_its_database_gets_the_run_again(world) -> None:
    world.ask()
    world.later(20, lambda: (world.runs.clear(), world.die("1")))
    world.later(20, lambda: world.runs.update({"9": Run("9", "completed", None, "x", flower_time(0))}))

    def unknown(run_id: str) -> bool:
        world._call(f"stop {run_id}")
        return False

    world.stop = unknown
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "superlink_forgot"


def test_a_process_that_cannot_be_told_from_others_leaves_the_judgement_to_flower(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(Process(55, -500))  # of another training, begun long before
    world.skew = 10**6
    world.later(40, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert 40 < world.at < 70


OTHER = Process(999, 5)  # the ServerApp of another training, which began at nearly the same time


def other_training(world: World, **memory: object) -> None:
    folder = TrainingFolder(world.home, "other")
    os.makedirs(folder.path)
    with open(f"{folder.path}/supervision.json", "w") as stream:
        json.dump({"run_id": "9", **memory}, stream)


def test_of_two_trainings_that_begin_at_once_a_stop_ends_the_one_that_is_meant(world) -> None:
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    # Its run is stopped, but it hangs.
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert world.memory.processes == [[101, 4]]
    assert (world.killed, world.living) == ([Process(101, 4)], [OTHER])


def test_of_two_trainings_that_begin_at_once_a_death_is_seen_at_once(world) -> None:
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    world.later(60, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.at - 60 < 10, world.living) == (True, [OTHER])
    assert world.memory.restarts[-1]["reason"] == "serverapp_gone"


def test_a_serverapp_that_died_before_it_was_looked_for_is_not_confused_with_another(world) -> None:
    world.ask()
    world.later(3.1, lambda: [world.living.append(OTHER), world.die("1")])
    assert world.live() == AGAIN
    assert (world.at < 15, world.living) == (True, [OTHER])


def test_an_app_of_ones_own_is_not_confused_with_what_another_training_knows_to_be_its(world) -> None:
    world.tells_process = False
    other_training(world, processes=[[OTHER.pid, OTHER.ticks]])
    world.ask()
    world.later(3.5, lambda: world.living.append(OTHER))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert (world.memory.processes, world.living) == ([[101, 4]], [OTHER])


def test_while_several_processes_may_be_the_runs_none_is_killed_and_flower_is_believed(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(OTHER)
    world.later(60, lambda: world.die("1"))
    world.later(110, lambda: world.set("1", status="failed", details="No heartbeat received from the task"))
    assert world.live() == AGAIN
    assert (world.memory.restarts[-1]["reason"], world.memory.processes) == ("no_heartbeat", [[999, 5], [101, 4]])
    assert (world.killed, world.living) == ([], [OTHER])


def test_a_process_that_was_taken_for_the_runs_is_given_back_when_another_training_tells_of_it(world) -> None:
    world.tells_process = False
    world.ask()
    world.living.append(OTHER)
    world.later(8, lambda: other_training(world, processes=[[OTHER.pid, OTHER.ticks]]))
    world.later(60, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.at - 60 < 10, world.living) == (True, [OTHER])


def test_a_run_under_way_without_any_serverapp_on_the_host_is_lost(world) -> None:
    world.ask()
    world.skew = 10**6
    world.later(6, lambda: world.die("1"))
    assert world.live() == AGAIN
    assert (world.memory.restarts[-1]["reason"], world.at < 40) == ("serverapp_gone", True)


@pytest.mark.parametrize("looks_at", ["the next one", "no one"])
def test_a_serverapp_that_takes_too_long_to_begin_loses_its_run_to_another_one(world, looks_at) -> None:
    world.ask()
    world.takes_up = False
    first, second = Process(201, 4), Process(101, 35)

    def claim(process: Process) -> None:
        """Flower gives the run to a ServerApp, which has half a minute to ask for it."""
        world.set("1", status="starting", starting_at=flower_time(world.at))
        world.living.append(process)

    def begin() -> None:
        world.set("1", status="running")
        world.write("effective", {"run_id": "1", "process": {"pid": second.pid, "ticks": second.ticks}})

    world.later(4, lambda: claim(first))
    if looks_at == "no one":
        # The first one has ended before the run goes to the second one.
        world.later(33, lambda: [world.living.remove(first), world.set("1", status="pending", starting_at=None)])
        world.later(35, lambda: claim(second))
    else:
        world.later(35, lambda: claim(second))
        world.later(37, lambda: world.living.remove(first))
    world.later(55, begin)
    world.later(60, lambda: world.round(1))
    world.later(70, lambda: world.finish("1"))
    assert world.live() == 0
    assert [call for call in world.calls if call != "list"] == ["run"]
    assert (world.memory.restart_count, world.memory.processes) == (0, [[101, 35]])


def test_a_serverapp_that_ends_before_it_has_begun_is_not_waited_for(world) -> None:
    world.ask()
    world.takes_up = False
    process = Process(101, 4)
    world.later(
        4, lambda: [world.set("1", status="starting", starting_at=flower_time(4)), world.living.append(process)]
    )
    world.later(12, lambda: world.living.remove(process))
    assert world.live() == AGAIN
    assert [call for at, call in world.called if at >= 12] == ["list", "stop 1"]
    assert world.memory.restarts[-1]["reason"] == "serverapp_gone"


def test_what_an_app_has_said_is_one_line(world) -> None:
    world.ask()
    world.later(10, lambda: world.fail("1", message="two\nlines"))
    world.live()
    assert world.events != []
    assert world.said[-1] == "default: failed in the app, which would fail again. two lines"


def test_the_program_refuses_what_it_cannot_supervise(tmp_path, capsys) -> None:
    home = ["--home", str(tmp_path)]
    assert _supervise.main([*home, "../etc"]) == REFUSED
    assert _supervise.main([*home, "default"]) == REFUSED
    (tmp_path / "trainings" / "default").mkdir(parents=True)
    assert _supervise.main([*home, "default"]) == REFUSED
    assert "request.json is missing or damaged" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("word", ["pending", "failed"])
def test_a_run_that_was_left_is_stopped_as_soon_as_the_superlink_answers(world, monkeypatch, capsys, word) -> None:
    world.ask()
    world.runs["1"] = Run("1", word, None, "abcd", flower_time(0))
    world.desk.remember(Memory(request_id="1", state="stopped", run_id="1"))
    world.desk.stop()
    world.desk.leave("1")
    world.away = True
    world.later(500, lambda: setattr(world, "away", False))
    signs = []
    monkeypatch.setattr(_supervise.time, "sleep", world.sleep)
    monkeypatch.setattr(_supervise, "notify", lambda **facts: signs.append(world.at))
    monkeypatch.setattr(_supervise, "Flwr", lambda *dummy: SimpleNamespace(stop=world.stop))
    assert _supervise.main(["--home", world.home, "default"]) == STOPPED
    assert (world.runs["1"].alive, world.memory.ended, world.desk.left, world.desk.is_stopped) == (False, "1", "", True)
    assert 500 <= world.at < 510
    assert max(later - earlier for earlier, later in itertools.pairwise(signs)) < 10
    assert capsys.readouterr().out.splitlines() == [
        "default: run 1 is stopped as soon as the SuperLink answers.", "default: run 1 is stopped.",
    ]  # fmt: skip


def test_what_is_trained_again_meanwhile_is_not_stopped(world, monkeypatch) -> None:
    world.ask()
    world.desk.stop()
    world.desk.leave("1")
    world.away = True
    world.later(20, world.ask)
    monkeypatch.setattr(_supervise.time, "sleep", world.sleep)
    monkeypatch.setattr(_supervise, "Flwr", lambda *dummy: SimpleNamespace(stop=world.stop))
    assert _supervise.main(["--home", world.home, "default"]) == STOPPED
    assert (world.desk.left, world.at < 30) == ("", True)


def test_a_request_that_is_damaged_is_refused_in_an_event_with_all_that_is_documented(world, capsys) -> None:
    world.ask()
    world.desk.remember(Memory(request_id="1", run_id="7", restart_count=2))
    _trainings.write_object(f"{world.folder.path}/request.json", {"name": "default", "app": None})
    assert _supervise.main(["--home", world.home, "default"]) == REFUSED
    event = json.loads(capsys.readouterr().out.splitlines()[0])
    assert {key: event[key] for key in ("event", "reason", "run_id", "restarts")} == {
        "event": "training_refused", "reason": "request", "run_id": "7", "restarts": 2,
    }  # fmt: skip


def test_two_supervisors_of_one_training_are_impossible(tmp_path, capsys) -> None:
    desk = Desk(TrainingFolder(str(tmp_path), "default"))
    with desk.watch() as alone:
        assert alone
        assert _supervise.main(["--home", str(tmp_path), "default"]) == AGAIN
    assert capsys.readouterr().out == "default: another supervisor is already running.\n"


@pytest.mark.parametrize("content", ["", '{"request_id": "1", "run_id": null, "processes": null, "restarts": [1]}'])
@pytest.mark.parametrize("begins", [3, 30])
def test_a_memory_that_is_lost_costs_no_run_also_when_the_training_is_forced(world, content, begins) -> None:
    world.ask(force=True, run_config='resume = "never"\n')
    world.takes_up = False

    world.later(begins, lambda: world.start("1"))
    world.killed_after(12)
    with open(f"{world.folder.path}/supervision.json", "w") as stream:
        stream.write(content)
    world.later(60, lambda: world.finish("1"))
    assert world.live() == 0
    assert [call for call in world.calls if call not in ("list", "nodes")] == ["run"]
    assert world.named("run_adopted")[0]["run_id"] == "1"


def test_a_forced_training_that_has_begun_goes_on_where_it_was_after_its_memory_was_lost(world) -> None:
    world.ask(force=True, run_config='resume = "never"\n')

    world.killed_after(12)
    os.unlink(f"{world.folder.path}/supervision.json")
    world.die("1")
    world.set("1", status="failed", details="No heartbeat received")
    world.later(30, lambda: world.finish("2"))
    assert world.live() == 0
    assert world.configs == ['resume = "never"\n', 'resume = "auto"\n']


def test_a_message_that_is_no_text_ends_a_training_like_any_other(world) -> None:
    world.journal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    world.ask()
    world.later(20, lambda: world.fail("1", message="No such file: '/data/\udcff.csv'"))
    assert world.live() == FAILED
    lines = world.journal.buffer.getvalue().decode().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(event["event"], event["reason"]) for event in events[-1:]] == [("training_failed", "app")]


@pytest.mark.parametrize("outage", [20, 3600])
def test_a_disk_that_is_full_for_a_while_is_waited_for_and_ends_nothing(world, monkeypatch, capsys, outage) -> None:
    world.ask()
    real, signs = guarded.replacing, []

    def replacing(path: str, mode: int, owners: object = None):
        if 10 <= world.at < 10 + outage:
            raise OSError(28, "No space left on device", path)
        return real(path, mode, owners)

    monkeypatch.setattr(guarded, "replacing", replacing)
    for name in ("monotonic", "sleep"):
        monkeypatch.setattr(_supervise.time, name, getattr(world, name))
    monkeypatch.setattr(_supervise, "notify", lambda **facts: signs.append((world.at, facts)))
    monkeypatch.setattr(_supervise, "Supervisor", lambda *dummy: SimpleNamespace(run=world.live))
    world.later(12, lambda: world.round(1))
    assert _supervise.main(["--home", world.home, "default"]) == AGAIN
    assert max(outage, 120) <= world.at <= max(outage, 130) + 25
    said = capsys.readouterr().out
    assert said.startswith(f"default: No space left on device ({world.folder.path}/supervision.json).")
    # The manager is told that all is well, so that it does not kill what waits.
    times = [at for at, facts in signs if "WATCHDOG" in facts]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 10
    world.later(5, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("run") == 1
    assert not [name for name in os.listdir(world.folder.path) if name.endswith((".probe", ".tmp"))]


def test_a_disk_that_is_full_at_the_start_is_waited_for(world, monkeypatch, capsys) -> None:
    world.ask()
    for name in ("monotonic", "sleep"):
        monkeypatch.setattr(_supervise.time, name, getattr(world, name))
    monkeypatch.setattr(Desk, "watch", lambda desk: (dummy for dummy in ()).throw(OSError(30, "Read-only file system")))
    assert _supervise.main(["--home", world.home, "default"]) == AGAIN
    assert capsys.readouterr().out.startswith(f"default: Read-only file system ({world.folder.path}).")
    started = world.at
    world.later(7, world.desk.stop)  # and by an order to stop no longer
    assert (_supervise.main(["--home", world.home, "default"]), world.at - started) == (AGAIN, 10)


def test_a_well_run_is_asked_for_now_and_then(world) -> None:
    world.ask()
    for number in range(1, 60):
        world.later(10 * number, lambda number=number: world.round(number))
    world.later(600, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.calls.count("list") <= 600 / watch.ASK_A_WELL_RUN + 4


def continuous(world, key: str = "num-rounds", **values: object) -> None:
    world.ask(mode="continuous", run_config=f'resume = "never"\n{key} = 3\n', **values)


def sessions(world) -> list[tuple]:
    return [(event["session"], event["reason"], event["num_rounds"]) for event in world.named("session_started")]


@pytest.mark.parametrize("key", ["num-rounds", "num-server-rounds", "server.rounds"])
def test_a_continuous_training_waits_for_supernodes_and_goes_on_when_one_comes(world, key) -> None:
    continuous(world, key)
    world.nodes["site2"] = "offline"
    world.later(40, lambda: world.nodes.update(site2="online"))
    world.later(120, lambda: world.finish("1", 3))
    world.later(300, lambda: world.nodes.update(site2="offline"))
    world.later(400, lambda: world.nodes.update(site2="online"))
    world.later(500, lambda: world.finish("2", 6))
    world.later(600, lambda: world.nodes.update(site3="online"))
    world.later(700, lambda: world.finish("3", 9))
    world.later(800, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6), (3, "nodes", 9)]
    assert [run.num_rounds for run in world.folder.ledger] == [3, 6, 9]
    assert world.configs == [f'resume = "{resume}"\n{key} = {rounds}\n'
                             for resume, rounds in (("never", 3), ("auto", 6), ("auto", 9))]  # fmt: skip
    assert [event["rounds"] for event in world.named("session_finished")] == [3, 6, 9]
    assert [event["waiting_for"] for event in world.named("waiting")] == [["site2"], ["site2"]]


@pytest.mark.parametrize("own", ["", "epochs = 2\n", "server.rounds = 3\n"])
def test_the_rounds_of_a_session_reach_an_app_that_has_them_in_its_code(world, own) -> None:
    """By the kit, whose word counts; a key of the app has the number as well, where it was set."""
    kit = 'fedops.training-name = "default"\n'
    world.ask(mode="continuous", run_config=own + kit)
    world.later(60, lambda: world.finish("1", 3))
    world.later(400, lambda: world.nodes.update(site4="online"))
    world.later(500, lambda: world.finish("2", 6))
    world.later(700, world.desk.stop)
    assert world.live() == STOPPED
    assert world.configs == [
        f"{own.replace('3', str(rounds))}{kit}fedops.num-server-rounds = {rounds}\n" for rounds in (3, 6)
    ]


def test_a_session_begins_after_an_interval_as_well(world) -> None:
    continuous(world, session_interval=200.0)
    world.later(60, lambda: world.finish("1", 3))
    world.later(400, lambda: world.finish("2", 6))
    world.later(450, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]
    begun = [at for at, call in world.called if call == "run"]
    assert begun[1] - 60 >= 200


def test_a_clock_that_is_set_back_does_not_hold_the_next_session_up(world, monkeypatch) -> None:
    continuous(world, session_interval=200.0)
    world.later(60, lambda: world.finish("1", 3))
    world.later(100, lambda: monkeypatch.setattr(submission.time, "time", lambda: EPOCH + world.at - 3600))
    world.later(400, lambda: world.finish("2", 6))
    world.later(450, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]
    begun = [at for at, call in world.called if call == "run"]
    assert 200 <= begun[1] - 100 < 300


def test_a_run_that_is_lost_in_a_session_is_followed_by_one_for_the_rest_of_it(world) -> None:
    continuous(world)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, lambda: world.nodes.update(site3="online"))
    world.later(160, lambda: world.die("2"))
    assert world.live() == AGAIN
    world.later(30, lambda: world.finish("3", 6))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6)]
    assert [run.num_rounds for run in world.folder.ledger] == [3, 6, 6]


def test_a_session_that_ended_while_nobody_watched_is_closed(world) -> None:
    continuous(world)

    world.killed_after(20)
    world.finish("1", 3)
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert ([event["session"] for event in world.named("session_finished")], world.calls.count("run")) == ([1], 1)


@pytest.mark.parametrize("remembered", [False, True])
def test_a_session_is_counted_and_told_of_once_whenever_its_supervisor_dies(world, monkeypatch, remembered) -> None:
    continuous(world)
    world.later(40, lambda: world.finish("1"))

    def die(*dummy: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if remembered:
            patch.setattr(Journal, "event", lambda self, name, *more, **facts: name == "session_finished" and die())
        else:
            patch.setattr(Sessions, "finish", die)
        with pytest.raises(Killed):
            world.live()
    world.later(100, lambda: world.nodes.update(site3="online"))
    world.later(200, lambda: world.finish("2", 6))
    world.later(260, world.desk.stop)
    assert world.live() == STOPPED
    assert world.memory.sessions == 2
    # A line of the journal may be lost with its supervisor, and is not told twice.
    told = [event["session"] for event in world.named("session_finished")]
    assert told == ([2] if remembered else [1, 2])
    assert len(world.runs) == 2


def test_a_continuous_training_that_is_trained_again_begins_a_session_at_once(world) -> None:
    continuous(world)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2")
    world.later(60, lambda: world.finish("2", 6))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (1, "first", 6)]


def test_a_session_that_was_stopped_is_finished_when_the_training_is_trained_again(world) -> None:
    continuous(world)
    for number in (1, 2, 3):
        world.later(10 + number, lambda number=number: world.round(number))
    world.later(15, lambda: world.finish("1", 3))
    world.later(30, lambda: world.nodes.update(site3="online"))
    # The run of the second session goes on from the checkpoint: it takes the result away.
    world.later(90, lambda: os.unlink(f"{world.folder.published}/result.json"))
    world.later(95, lambda: [world.round(4, "2"), world.round(5, "2")])
    world.later(105, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2")
    world.later(40, lambda: [world.round(6, "3"), world.finish("3", 6)])
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "nodes", 6), (1, "first", 6)]
    assert "num-rounds = 6" in world.configs[-1]


def test_a_training_that_is_forced_to_begin_anew_has_a_session_of_its_own(world) -> None:
    continuous(world)
    world.later(15, lambda: world.finish("1", 3))
    world.later(60, world.desk.stop)
    assert world.live() == STOPPED
    continuous(world, request_id="2", force=True)
    world.later(40, lambda: world.finish("2", 3))
    world.later(100, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (1, "first", 3)]


def test_a_quiesced_training_ends_after_its_round_and_goes_on_when_it_is_resumed(world) -> None:
    world.ask(run_config='resume = "never"\nnum-rounds = 3\n')
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(30, lambda: world.round(1))
    world.later(31, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    assert world.live() == QUIESCED
    assert (world.runs["1"].status, world.memory.state, world.memory.detail) == (
        "failed", "quiesced", "Quiesced after round 1 of 3.",
    )  # fmt: skip
    assert world.named("training_quiesced")[0] | {"time": 0, "message": ""} == {
        "event": "training_quiesced", "training": "default", "time": 0, "message": "", "reason": "quiesced",
        "run_id": "1", "restarts": 0,
    }  # fmt: skip
    calls = len(world.calls)
    assert world.live() == QUIESCED  # as at a boot
    assert (len(world.calls), world.memory.detail) == (calls, "Quiesced after round 1 of 3.")
    lift_order(world.folder.parent)
    world.later(1, lambda: world.states.append(world.memory.state))
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert world.states == ["starting"]
    assert (world.memory.restart_count, world.memory.fruitless, world.named("run_lost")) == (0, 0, [])
    assert 'resume = "auto"' in world.configs[1]


def test_a_round_that_is_not_finished_in_time_is_stopped_and_trained_again_later(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 60))
    assert world.live() == QUIESCED
    assert 70 < world.at < 85
    assert (world.runs["1"].status, world.living) == ("stopped", [])
    assert "not finished in time" in world.memory.detail
    lift_order(world.folder.parent)
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0


def test_a_run_that_has_not_begun_does_not_begin_while_the_federation_is_quiesced(world) -> None:
    world.ask()
    world.takes_up = False
    world.later(6, lambda: give_order(world.folder.parent, 600))
    assert world.live() == QUIESCED
    assert (world.runs["1"].status, world.at < 20) == ("stopped", True)


def test_nothing_is_submitted_while_the_federation_is_quiesced(world) -> None:
    world.ask()
    give_order(world.folder.parent, 600)
    assert world.live() == QUIESCED
    assert world.calls == []


def test_a_supervisor_that_comes_back_takes_its_run_up_and_lets_it_finish_its_round(world) -> None:
    world.ask()
    world.killed_after(10)
    give_order(world.folder.parent, 600)
    world.later(20, lambda: world.round(1))
    world.later(21, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    assert world.live() == QUIESCED
    assert "stop 1" not in world.calls


def test_a_training_that_is_resumed_before_it_stood_still_goes_on_at_once(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(20, lambda: world.fail("1", "quiesced", "Quiesced after round 1 of 3."))
    world.later(20, lambda: lift_order(world.folder.parent))
    world.later(60, lambda: world.finish("2"))
    assert world.live() == 0
    assert (world.memory.restart_count, len(world.named("run_submitted"))) == (0, 2)


def test_a_training_that_ends_in_its_round_is_completed_although_the_federation_is_quiesced(world) -> None:
    world.ask()
    world.later(10, lambda: give_order(world.folder.parent, 600))
    world.later(20, lambda: world.finish("1"))
    assert world.live() == 0


def test_a_continuous_training_begins_no_session_while_the_federation_is_quiesced(world) -> None:
    continuous(world, session_interval=200.0)
    world.later(30, lambda: world.finish("1", 3))
    world.later(100, lambda: give_order(world.folder.parent, 600))
    assert world.live() == QUIESCED
    assert world.at < 105
    lift_order(world.folder.parent)
    world.later(400, lambda: world.finish("2", 6))
    world.later(420, world.desk.stop)
    assert world.live() == STOPPED
    assert sessions(world) == [(1, "first", 3), (2, "interval", 6)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands capabilities on")
def test_what_the_supervisor_starts_has_none_of_its_capabilities() -> None:
    """It may end processes of another account; Flower's command line may not."""
    plugins = str(Path(_supervise.__file__).parents[2])
    program = (
        "import ctypes, subprocess, sys; sys.path.insert(0, sys.argv[1]); libc = ctypes.CDLL(None);"
        "from module_utils._supervisor.program import keep_capabilities;"
        "assert libc.prctl(8, 1, 0, 0, 0) == 0;"  # keep what is permitted over the change of the account
        "libc.setresuid(4711, 4711, 4711);"
        "import struct; head = struct.pack('Ii', 0x20080522, 0); sets = struct.pack('6I', 32, 32, 32, 0, 0, 0);"
        "assert libc.capset(head, sets) == 0; assert libc.prctl(47, 2, 5, 0, 0) == 0;"
        "kinds = ('CapEff', 'CapAmb');"
        "told = lambda: subprocess.run(['cat', '/proc/self/status'], capture_output=True, text=True).stdout;"
        "show = lambda text: [line.split()[1] for line in text.splitlines() if line.startswith(kinds)];"
        "before = show(told()); keep_capabilities();"
        "print(before, show(told()), show(open('/proc/self/status').read()))"
    )
    done = subprocess.run([sys.executable, "-c", program, plugins], capture_output=True, text=True, check=False)
    kill, none = "0000000000000020", "0000000000000000"
    assert done.stdout.strip() == f"{[kill, kill]} {[none, none]} {[kill, none]}", done.stderr


def test_an_app_that_says_again_and_again_that_it_was_quiesced_is_given_up(world) -> None:
    """Nobody has quiesced anything: it would be submitted for ever."""
    world.ask(attempts=3)
    start = world.start

    def fails_at_once(run_id: str) -> None:
        start(run_id)
        world.later(1, lambda: world.fail(run_id, "quiesced", "so it is"))

    world.start = fails_at_once
    assert world.live() == GIVEN_UP
    assert (world.memory.fruitless, len(world.runs)) == (3, 3)


def foreign(world, **changes: object) -> None:
    """An app that has no kit: it leaves no files, and Flower alone tells of it."""
    world.ask(reports=False, **changes)
    world.write = lambda stem, value: None
    submit = world.submit

    def counted(app: str, run_config: str | None) -> Submission:
        submission = submit(app, run_config)
        world.set(submission.run_id, traffic=0, client_seconds=0.0)
        return submission

    world.submit = counted


def replies(world, run_id: str, seconds: float) -> None:
    """Some ClientApps have replied by then."""
    if world.runs[run_id].alive:
        world.set(run_id, client_seconds=seconds, traffic=int(1000 * seconds))


def test_restarts_of_an_app_that_tells_of_no_rounds_are_not_fruitless_when_it_had_replies(world) -> None:
    foreign(world, attempts=2)
    for number in range(1, 6):
        run_id = str(number)
        world.later(20, lambda run_id=run_id: replies(world, run_id, 3.0))
        world.later(30, lambda run_id=run_id: world.die(run_id))
        assert world.live() == AGAIN
        assert world.memory.fruitless == 0
    assert world.memory.restart_count == 5


def test_restarts_of_an_app_that_never_had_a_reply_are_fruitless(world) -> None:
    foreign(world, attempts=2)
    for number in ("1", "2"):
        world.later(30, lambda number=number: world.die(number))
        assert world.live() == AGAIN
    assert world.live() == GIVEN_UP


def test_a_superlink_that_is_lost_is_no_fault_of_an_app_that_tells_nothing(world) -> None:
    foreign(world)

    def gone() -> None:
        world.away, world.superlink_unit = True, replace(world.superlink_unit, active="activating", pid=0)

    def back() -> None:
        world.away, world.superlink_unit = False, replace(world.superlink_unit, pid=9)
        world.set("1", status="failed", details="ServerApp failed with exception: [Errno 111] Connection refused")
        world.die("1")

    world.later(70, gone)
    world.later(90, back)
    assert world.live() == AGAIN
    lost = world.memory.restarts[-1]
    assert (lost["reason"], lost["detail"]) == (
        "superlink_lost",
        "The SuperLink was lost: [Errno 111] Connection refused",
    )


def test_a_failure_long_after_the_superlink_was_away_is_the_apps_own(world) -> None:
    foreign(world)
    world.later(70, lambda: setattr(world, "superlink_unit", replace(world.superlink_unit, pid=9)))
    world.later(100, lambda: replies(world, "1", 2.0))

    def fail() -> None:
        world.set("1", status="failed", details="ServerApp failed with exception: no data")
        world.die("1")

    world.later(500, fail)
    assert world.live() == FAILED
    assert world.memory.reason == "app"


@pytest.mark.parametrize(("seconds", "status"), [(0.0, FAILED), (4.0, 0)])
def test_a_run_that_nobody_ever_replied_in_is_not_finished(world, seconds: float, status: int) -> None:
    foreign(world)
    world.later(20, lambda: replies(world, "1", seconds))
    world.later(30, lambda: (world.set("1", status="completed"), world.die("1")))
    assert world.live() == status
    assert world.memory.reason == ("completed" if status == 0 else "no_reply")
    assert world.live() == status  # also at the next boot


def test_a_run_that_passes_no_messages_any_more_is_stalled(world) -> None:
    foreign(world, stall_floor=100.0, first_round=2000.0)
    for at in range(100, 1000, 50):
        world.later(at, lambda at=at: replies(world, "1", float(at)))
    assert world.live() == AGAIN
    assert world.memory.restarts[-1]["reason"] == "silence"
    assert 1900 < world.at < 2400  # ten times the longest wait, from the last reply on


def test_a_slow_first_round_of_an_app_that_was_adopted_is_waited_for(world) -> None:
    foreign(world, stall_floor=100.0, first_round=5000.0)
    world.later(20, lambda: replies(world, "1", 5.0))
    world.killed_after(40)
    world.later(4000, lambda: replies(world, "1", 9.0))
    world.later(4100, lambda: (world.set("1", status="completed"), world.die("1")))
    assert world.live() == 0


def test_a_round_that_waits_for_sites_that_took_part_is_told_and_takes_no_time(world) -> None:
    world.ask(stall_floor=60.0, first_round=60.0)
    words = ["site-aaaaaaaaaaaa", "elsewhere"]
    world.later(20, lambda: world.write("waiting", {"run_id": "1", "round": 3, "sites": words, "seconds": 300.0}))
    world.later(320, lambda: os.unlink(f"{world.folder.published}/waiting.json"))
    for number, at in ((1, 330), (2, 340), (3, 350)):
        world.later(at, lambda number=number: world.round(number))
    world.later(360, lambda: world.finish("1"))
    assert world.live() == 0
    (waiting,) = world.named("waiting")
    assert (waiting["reason"], waiting["waiting_for"]) == ("rejoin", words)
    assert waiting["message"].startswith("Round 3 waits for sites that took part before: site-aaaa")
    assert len(world.named("waiting_over")) == 1


@pytest.mark.parametrize("told", [{"run_id": "7", "round": 3, "sites": ["a"]}, {"run_id": "1"}, {"sites": 5}])
def test_a_wait_of_another_run_and_one_that_is_damaged_are_none(world, told: dict) -> None:
    world.ask()
    world.later(10, lambda: world.write("waiting", told))
    world.later(40, lambda: world.finish("1"))
    assert world.live() == 0
    assert world.named("waiting") == []
