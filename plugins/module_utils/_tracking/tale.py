# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of one training as its ServerApps write them, read on from where the last look has ended.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import typing as t

from .._base.guarded import names, regular_file
from .._report.rounds import WHOLE_LIMIT
from .._report.story import EARLIER
from .._supervisor.endings import ENDED
from .._training.claims import HISTORY_FILE, LINE_LIMIT, RESULT_FILE, ClaimError, read_claim, round_and_sites
from .._training.folder import MEMORY_FILE, REQUEST_FILE, LedgerEntry, TrainingFolder, claimants, read_object

_HEAD = 4096  # bytes by which one history is told from another: its first round has a time in it

Heard = tuple[t.Mapping[str, t.Any], t.Any]  # a round, and what is told of its sites


class Tale:
    """What one history tells. After an error of whoever listens, another one begins from its first line."""

    def __init__(self, folder: TrainingFolder, place: str | None = None) -> None:
        self.folder, self.place = folder, place or folder.published
        self.key = ""  # of the training that it tells of; empty before its first round
        self.continues = False  # the first round was trained by a run that nobody knows
        self.last: t.Mapping[str, t.Any] | None = None
        self.newest = 0
        self._head = b""
        self._offset = 0
        self._strangers: set[str] = set()

    def rounds(self) -> t.Iterator[Heard]:
        """Yield the rounds that were written since the last look."""
        own = {entry.run_id: entry for entry in self.folder.ledger}
        try:
            with regular_file(os.path.join(self.place, HISTORY_FILE), None, claimants()) as stream:
                head = stream.read(_HEAD)
                # Another history may have the inode of the one before. And a run may be known that was not.
                if head[: len(self._head)] != self._head or self._strangers & own.keys():
                    self._offset, self._strangers = 0, set()
                    self.key, self.newest, self.last = "", 0, None
                self._head = head
                stream.seek(self._offset)
                yield from self._heard(stream, own)
        except FileNotFoundError:
            return

    def _heard(self, stream: t.IO[bytes], own: t.Mapping[str, LedgerEntry]) -> t.Iterator[Heard]:
        for line in self._lines(stream):
            try:
                found = round_and_sites(line)
            except ClaimError:
                continue  # the status of the training says so
            if not found:
                continue
            event, sites = found
            teller = event.get("told_by") or event.get("run_id")
            if teller not in own:
                self._strangers.add(str(teller))
                continue
            if not self.key:
                self.key = training_key(self.folder.name, event, own[str(teller)])
                self.continues = bool(event.get("told_by"))
            self.last, self.newest = event, max(self.newest, event["round"])
            yield event, sites

    def _lines(self, stream: t.IO[bytes]) -> t.Iterator[bytes]:
        """Yield whole lines; of one that is too long, its beginning: it is judged by that."""
        while self._offset < WHOLE_LIMIT and (line := stream.readline(LINE_LIMIT + 1)):
            length, end = len(line), line
            while not end.endswith(b"\n") and length < WHOLE_LIMIT:
                end = stream.readline(LINE_LIMIT)
                length += len(end)
                if not end:
                    return  # it is still being written
            self._offset += length
            yield line


def training_key(name: str, event: t.Mapping[str, t.Any], entry: LedgerEntry) -> str:
    """Return what tells a training from all others, by the first round of its history.

    Runs that one order has led to are one training, also when each had to begin anew because nothing was saved yet.
    """
    order = entry.request_id or entry.run_id
    return hashlib.sha256(f"{name}\n{event.get('configuration_hash')}\n{order}".encode()).hexdigest()[:16]


def put_away(folder: TrainingFolder, key: str) -> Tale | None:
    """Return the newest history that tells of a training which another one has taken the place of."""
    place = os.path.join(folder.published, EARLIER)
    try:
        kept = names(place)
    except OSError:
        return None
    for name in reversed(kept):
        tale = Tale(folder, os.path.join(place, name))
        if next(tale.rounds(), None) and tale.key == key:
            return Tale(folder, tale.place)
    return None


def ended(folder: TrainingFolder) -> str:
    """Return how a training has ended; nothing while it has not."""
    memory = read_object(os.path.join(folder.path, MEMORY_FILE)) or {}
    request = read_object(os.path.join(folder.path, REQUEST_FILE)) or {}
    state = str(memory.get("state"))
    # The supervisor has not begun yet with what is asked for.
    if memory.get("request_id") != request.get("request_id"):
        return ""
    return state if state in ENDED else ""


def result_in(place: str, own: t.Container[str]) -> dict[str, t.Any] | None:
    """Return the outcome that was put away with a history."""
    try:
        found = read_claim(place, RESULT_FILE, claimants())
    except ClaimError:
        return None
    return found if found and found["run_id"] in own else None
