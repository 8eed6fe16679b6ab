# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the supervisor of a training, and what it remembers: files in the folder of the training.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import time
import typing as t
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone

from .._base.guarded import remove, write_bytes
from .._base.layout import TRAINING_UNIT
from .._config.limits import DEFAULT
from .._training.folder import (
    MEMORY_FILE,
    RECORD_MODE,
    REQUEST_FILE,
    TrainingFolder,
    as_keeper,
    held,
    read_object,
    write_object,
)
from .._training.quiesce_order import Order, standing_order
from .endings import STARTING
from .sound import fits, sound

STOP_MARKER, SUPERVISOR_LOCK = "stopped", ".supervisor.lock"
LEFT = "stopping"  # the run that is still to be stopped of a training that is
ONCE, CONTINUOUS = "once", "continuous"
MAY_BE_NONE = ("configuration_hash", "num_rounds")
KEPT_RESTARTS = 50
PROBE_BYTES = 1 << 16  # more than a memory ever takes


@dataclass(frozen=True)
class Request:
    """What is to be trained and how patiently, as the module C(training) writes it and the supervisor reads it."""

    name: str
    app: str
    run_config: str = ""
    configuration_hash: str | None = None
    num_rounds: int | None = None  # of the training; of each session when it is continuous
    superlink: str = "local"
    mode: str = ONCE
    session_interval: float = 0.0
    reports: bool = True
    needed_nodes: int = DEFAULT["needed_nodes"]
    attempts: int = DEFAULT["attempts"]
    retry_failed: bool = False
    stall_floor: float = float(DEFAULT["stall_timeout"])
    first_round: float = float(DEFAULT["first_round_timeout"])
    force: bool = False
    request_id: str = ""  # every time that a training is asked for anew

    @property
    def continuous(self) -> bool:
        return self.mode == CONTINUOUS

    @property
    def begins_anew(self) -> bool:
        return any(line.replace(" ", "") == 'resume="never"' for line in self.run_config.splitlines())

    def asks_for(self) -> dict[str, t.Any]:
        """Return what makes a request another one."""
        values = asdict(self)
        del values["request_id"], values["force"]
        return values


def _is_sound(request: Request) -> bool:
    """Tell whether everything that a request says is of the right type."""
    typical = Request("", "", configuration_hash="", num_rounds=1)
    return all(
        fits(value, getattr(typical, key)) or (value is None and key in MAY_BE_NONE)
        for key, value in vars(request).items()
    )


@dataclass
class Memory:
    """What a supervisor knows when it starts again. C(state) and C(detail) are for whoever looks at the training."""

    request_id: str = ""
    state: str = STARTING
    reason: str = ""
    detail: str = ""
    since: str = ""
    waiting_for: list[str] = field(default_factory=list)
    run_id: str = ""  # the run that is followed, or was the last one
    ended: str = ""  # the run that has ended for sure, so that nobody has to be asked
    ending: dict[str, t.Any] = field(default_factory=dict)  # the verdict on a run that is being stopped
    submitting: str = ""  # when a submission began whose answer has not arrived
    runs: int = 0  # taken up for this request
    began: bool = False  # one of them has begun, so that the next goes on where it was
    processes: list[list[int]] = field(default_factory=list)  # of the ServerApp: number and beginning
    executor_pid: int = 0
    told: int = 0  # the last round that was told of
    fruitless: int = 0
    sessions: int = 0  # that are finished, of a continuous training
    target: int = 0  # rounds of the training at the end of the session; 0: there is none
    session_ended: float = 0.0
    online: list[str] = field(default_factory=list)  # who was online at the last look between two sessions
    newcomers: list[str] = field(default_factory=list)  # who has come since
    restart_count: int = 0
    restarts: list[dict[str, t.Any]] = field(default_factory=list)

    @property
    def signature(self) -> str:
        """Return what changes whenever there is news, but for finished rounds."""
        words = (self.request_id, self.state, self.reason, self.run_id, self.restart_count, *self.waiting_for)
        return " ".join(map(str, words))

    def restarted(self, reason: str, detail: str, last_round: int | None) -> None:
        """Remember why another run is needed."""
        entry = {"time": now(), "reason": reason, "detail": detail, "run_id": self.run_id, "round": last_round}
        self.restarts = [*self.restarts, entry][-KEPT_RESTARTS:]
        self.restart_count += 1

    def stand(self, state: str, reason: str, detail: str, waiting_for: t.Iterable[str] = ()) -> None:
        """Remember how the training stands from now on."""
        self.state, self.reason, self.detail = state, reason, detail
        self.since, self.waiting_for = now(), list(waiting_for)

    def follow(self, run_id: str) -> None:
        """Take a run up."""
        if self.run_id != run_id:
            self.processes, self.executor_pid, self.told = [], 0, 0
        self.run_id, self.ended, self.submitting = run_id, "", ""
        self.runs += 1

    def end_run(self) -> None:
        """Remember that the run has ended for sure, and is cleared away."""
        self.ended, self.ending = self.run_id, {}

    def end_session(self) -> None:
        """Remember that the session of the run is over, and a run with it."""
        self.ended, self.target, self.newcomers = self.run_id, 0, []
        self.sessions, self.session_ended = self.sessions + 1, time.time()

    def learn(self, effective: t.Mapping[str, t.Any] | None, runs: t.Container[str]) -> None:
        """Learn from what the latest ServerApp says it used whether one of these runs has begun."""
        self.began = self.began or (effective or {}).get("run_id") in runs

    def count_fruitless(self, rounds: t.Collection[int]) -> None:
        """Count the runs in a row that have finished no round."""
        self.fruitless = 0 if rounds else self.fruitless + 1


class Desk:
    """The supervisor's files in the folder of a training."""

    def __init__(self, folder: TrainingFolder) -> None:
        self.folder = folder
        self.marker = os.path.join(folder.path, STOP_MARKER)

    @property
    def request(self) -> Request | None:
        """Return what is asked for, where anything is."""
        values = read_object(os.path.join(self.folder.path, REQUEST_FILE))
        if values is None:
            return None
        known = {entry.name for entry in fields(Request)}
        try:
            request = Request(**{key: value for key, value in values.items() if key in known})
        except TypeError:
            return None
        return request if _is_sound(request) else None

    def ask(self, request: Request) -> None:
        """Write down what is asked for; an order to stop that came before it is void."""
        self.folder.make()
        write_object(os.path.join(self.folder.path, REQUEST_FILE), asdict(request))
        self._remove(self.marker)
        self.leave("")

    @property
    def memory(self) -> Memory | None:
        """Return what the supervisor remembers; what is damaged of it counts as forgotten."""
        values = read_object(os.path.join(self.folder.path, MEMORY_FILE))
        if values is None:
            return None
        return Memory(**sound(values, vars(Memory())))

    def remember(self, memory: Memory) -> None:
        write_object(os.path.join(self.folder.path, MEMORY_FILE), asdict(memory))

    def is_writable(self) -> bool:
        """Tell whether there is room for what is to be remembered."""
        path = os.path.join(self.folder.path, f".{MEMORY_FILE}.probe")
        try:
            with as_keeper(path):
                write_bytes(path, bytes(PROBE_BYTES), RECORD_MODE)
                remove(path)
        except OSError:
            return False
        return True

    @property
    def is_stopped(self) -> bool:
        """Tell whether an operator has stopped this training."""
        return os.path.lexists(self.marker)

    @property
    def quiesce(self) -> Order | None:
        """Return the order to pause all trainings, if there is one."""
        return standing_order(self.folder.parent)

    def stop(self) -> bool:
        """Stop the training, even after a reboot; tell whether that is new."""
        if self.is_stopped:
            return False
        self.folder.make()
        text = f"Stopped at {now()}. Remove this file, or train again, to lift it.\n"
        with as_keeper(self.marker):
            write_bytes(self.marker, text.encode(), RECORD_MODE)
        return True

    @property
    def left(self) -> str:
        """Return the run that the SuperLink is still to be told to stop; empty where there is none."""
        values = read_object(os.path.join(self.folder.path, LEFT)) or {}
        return str(values.get("run_id") or "")

    def leave(self, run_id: str) -> None:
        """Write down such a run; an empty one is none any more."""
        path = os.path.join(self.folder.path, LEFT)
        if run_id:
            write_object(path, {"run_id": run_id})
            return
        self._remove(path)

    @contextmanager
    def watch(self) -> t.Iterator[bool]:
        """Be the only supervisor of the training; give whether that worked."""
        self.folder.make()
        with held(os.path.join(self.folder.path, SUPERVISOR_LOCK), wait=False) as alone:
            yield alone

    @staticmethod
    def _remove(path: str) -> None:
        with as_keeper(path):
            remove(path)


def unit_name(training: str) -> str:
    """Return the name of the unit that supervises a training."""
    return f"{TRAINING_UNIT}{training}.service"


def recall(desk: Desk, request: Request) -> Memory:
    """Return what is remembered of this request; of an older one, only what tells that its run has ended."""
    memory = desk.memory or Memory()
    if memory.request_id == request.request_id:
        return memory
    return Memory(
        request_id=request.request_id,
        run_id=memory.run_id,
        ended=memory.ended,
        ending=memory.ending,
        submitting=memory.submitting,
        processes=memory.processes,
        executor_pid=memory.executor_pid,
        told=memory.told,
    )


def with_values(run_config: str, values: t.Mapping[str, t.Any]) -> str:
    """Return a run configuration with other values for keys that it has. It holds one key a line."""
    lines = []
    for line in run_config.splitlines():
        key = line.partition("=")[0].strip()
        lines.append(f"{key} = {json.dumps(values[key])}" if key in values else line)
    return "".join(f"{line}\n" for line in lines)


def values_of(run_config: str) -> dict[str, t.Any]:
    """Return the values of a run configuration: text, truth and numbers are written in it as in JSON."""
    values = {}
    for line in run_config.splitlines():
        key, dummy, value = line.partition("=")
        with suppress(ValueError):
            values[key.strip()] = json.loads(value)
    return values


def same(one: Request | None, other: Request) -> bool:
    """Tell whether two requests ask for the same."""
    return one is not None and one.asks_for() == other.asks_for()


def now(precision: str = "seconds") -> str:
    return datetime.now(timezone.utc).isoformat(timespec=precision)
