# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings as tables: a file of comma-separated values for each, a line for each round, and what it was set to.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import csv
import io
import json
import os
import typing as t
from datetime import datetime, timezone

from .._base.guarded import write_bytes
from .figures import Closing, TrackedRound, TrackedTraining
from .tracker import FolderTracker

READABLE = 0o644
_FIRST = ("round", "time")


class CsvTracker(FolderTracker):
    """A folder of tables."""

    def run(self, training: TrackedTraining) -> CsvRun:
        return CsvRun(self.place(training), training)


class CsvRun:
    """The table of a training. A figure that comes later has a column more, and the lines before it nothing there."""

    def __init__(self, base: str, training: TrackedTraining) -> None:
        self.link, self._about = f"{base}.csv", f"{base}.json"
        self._training = training
        self._columns, self.last = self._found()
        self._write_about({})

    def tell(self, one: TrackedRound) -> None:
        row = {**one.figures, "round": one.number, "time": _moment(one.time)}
        if new := [key for key in row if key not in self._columns]:
            self._widen([*(self._columns or _FIRST), *(key for key in new if key not in _FIRST)])
        with open(self.link, "a", encoding="utf-8", newline="") as stream:
            stream.write(_line([row.get(key, "") for key in self._columns]))
            stream.flush()
            os.fsync(stream.fileno())
        self.last = one.number

    def close(self, closing: Closing) -> None:
        self._write_about({"state": closing.state, **closing.facts})

    def leave(self) -> None:
        return None

    def _found(self) -> tuple[list[str], int]:
        """Return the columns and the last round, without a line that was cut off."""
        try:
            with open(self.link, "r+b") as stream:
                content = stream.read()
                whole = content.rpartition(b"\n")[0] + b"\n" if b"\n" in content else b""
                if whole != content:
                    stream.truncate(len(whole))
        except FileNotFoundError:
            return [], 0
        rows = list(csv.reader(io.StringIO(whole.decode("utf-8", "replace"), newline="")))
        return (rows[0], int(rows[-1][0]) if len(rows) > 1 else 0) if rows else ([], 0)

    def _widen(self, columns: list[str]) -> None:
        """Write the table anew with more columns, so that a reader has the old one or the new one, whole."""
        rows: list[dict[str, str]] = []
        if self._columns:
            with open(self.link, encoding="utf-8", newline="") as stream:
                rows = list(csv.DictReader(stream))
        text = _line(columns) + "".join(_line([row.get(key, "") for key in columns]) for row in rows)
        write_bytes(self.link, text.encode(), READABLE)
        self._columns = columns

    def _write_about(self, outcome: t.Mapping[str, str]) -> None:
        told = {
            "training": self._training.name,
            "began": self._training.began,
            **self._training.about,
            "settings": dict(self._training.settings),
            "outcome": dict(outcome),
        }
        write_bytes(self._about, (json.dumps(told, indent=2) + "\n").encode(), READABLE)


def _line(cells: t.Iterable[t.Any]) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerow(
        [repr(cell) if isinstance(cell, float) else cell for cell in cells]
    )
    return stream.getvalue()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds") if seconds else ""
