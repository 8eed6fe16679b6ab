# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings as event files, which TensorBoard reads. What writes them is tensorboardX.

A round is one record with all of its figures, so that it is there or it is not.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import os
import struct
import typing as t

from .figures import Closing, TrackedRound, TrackedTraining
from .tracker import FolderTracker

_HEADER = struct.Struct("<QI")  # length of a record, and its check
_CHECK = 4  # bytes after a record
_SETTINGS, _OUTCOME = "settings", "outcome"
_TEXT = "/text_summary"  # what the library adds to the name of a text


class TensorboardTracker(FolderTracker):
    """A folder with one folder of event files for each training."""

    def run(self, training: TrackedTraining) -> TensorboardRun:
        return TensorboardRun(self.place(training), training)


class TensorboardRun:
    """The event files of a training. Each start of the program has one of its own, as TensorBoard wants it."""

    def __init__(self, folder: str, training: TrackedTraining) -> None:
        self.link, self.last = folder, 0
        self._writer: t.Any = None
        self._tags: set[str] = set()
        os.makedirs(folder, 0o755, exist_ok=True)
        for name in sorted(os.listdir(folder)):
            self._read(os.path.join(folder, name))
        if _SETTINGS + _TEXT not in self._tags:
            self._write(0, 0.0, _text(_SETTINGS, {**training.about, **training.settings}))

    def tell(self, one: TrackedRound) -> None:
        proto = importlib.import_module("tensorboardX.proto.summary_pb2")
        values = [proto.Summary.Value(tag=key, simple_value=value) for key, value in one.figures.items()]
        self._write(one.number, one.time, proto.Summary(value=values))
        self.last = one.number

    def close(self, closing: Closing) -> None:
        self._write(self.last, 0.0, _text(_OUTCOME, {"state": closing.state, **closing.facts}))
        self.leave()

    def leave(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, step: int, moment: float, summary: t.Any) -> None:
        events = importlib.import_module("tensorboardX.proto.event_pb2")
        if self._writer is None:
            # The library names a file by the second, and writes over one that is there.
            ending = f".{os.getpid()}.{len(os.listdir(self.link))}"
            writer = importlib.import_module("tensorboardX.event_file_writer")
            self._writer = writer.EventsWriter(os.path.join(self.link, "events"), ending)
        event = events.Event(step=step, summary=summary)
        event.wall_time = moment or event.wall_time
        self._writer.write_event(event)
        self._writer.flush()

    def _read(self, path: str) -> None:
        events = importlib.import_module("tensorboardX.proto.event_pb2")
        for record in records(path):
            event = events.Event.FromString(record)
            tags = {value.tag for value in event.summary.value}
            self._tags |= tags
            if any(not tag.endswith(_TEXT) for tag in tags):
                self.last = max(self.last, event.step)


def records(path: str) -> t.Iterator[bytes]:
    """Yield the whole records of an event file; one that was cut off ends it, as it does for TensorBoard."""
    check = importlib.import_module("tensorboardX.record_writer").masked_crc32c
    with open(path, "rb") as stream:
        while len(head := stream.read(_HEADER.size)) == _HEADER.size:
            length, wanted = _HEADER.unpack(head)
            if check(head[:8]) != wanted or length > os.fstat(stream.fileno()).st_size:
                return
            record, tail = stream.read(length), stream.read(_CHECK)
            if len(record) < length or len(tail) < _CHECK or struct.unpack("<I", tail)[0] != check(record):
                return
            yield record


def _text(tag: str, table: t.Mapping[str, str]) -> t.Any:
    """Return a table as a text of Markdown."""
    rows = "".join(f"| {key} | {value.replace('|', chr(92) + '|')} |\n" for key, value in table.items())
    return importlib.import_module("tensorboardX.summary").text(tag, f"| | |\n|---|---|\n{rows}")
