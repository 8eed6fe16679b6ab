# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the supervisor of a training, and what it remembers: files in the folder of the training.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager
from dataclasses import asdict, fields

from .._base.guarded import remove, write_bytes
from .._base.layout import TRAINING_UNIT
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
from .memory import Memory, now
from .request import Request, is_sound
from .sound import sound

STOP_MARKER, SUPERVISOR_LOCK = "stopped", ".supervisor.lock"
LEFT = "stopping"  # the run that is still to be stopped of a training that is
PROBE_BYTES = 1 << 16  # more than a memory ever takes


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
        return request if is_sound(request) else None

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
