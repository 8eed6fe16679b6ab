# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trainings as runs of Weights & Biases: of its service, or of files for C(wandb sync). What writes both is wandb.

The library writes what it is told into a file a moment later. So the file says what is safe, and not the call.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import importlib
import os
import struct
import time
import typing as t
import zlib

from .._supervisor.endings import FINISHED
from .figures import Closing, TrackedRound, TrackedTraining
from .tracker import TrackerError

_OFFLINE = "offline"  # or online
_BLOCK, _HEAD = 32768, struct.Struct("<IHB")  # the format of LevelDB's logs: check, length, kind
_BEGINNING = 7  # bytes at the head of a file
_WHOLE, _FIRST, _LAST = 1, 2, 4  # kinds of pieces
_FLUSH = 1.0  # seconds after which the library writes what it has
_PATIENCE = 90  # seconds that it waits for the service
_SETTLING = 30.0  # seconds that it has to write the end


class WandbTracker:
    """A project of Weights & Biases."""

    def __init__(self, folder: str, options: t.Mapping[str, t.Any], secrets: t.Mapping[str, str]) -> None:
        self.folder, self._options = folder, options
        places = {"WANDB_CACHE_DIR": "cache", "WANDB_CONFIG_DIR": "config", "WANDB_DATA_DIR": "data"}
        os.environ.update({name: os.path.join(folder, place) for name, place in places.items()})
        os.environ["WANDB_ERROR_REPORTING"] = "false"
        if options.get("ca"):
            os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = str(options["ca"])
        if secrets.get("api_key"):
            os.environ["WANDB_API_KEY"] = secrets["api_key"]

    def run(self, training: TrackedTraining) -> WandbRun:
        return WandbRun(self.folder, self._options, training)


class WandbRun:
    """The run of a training. Each start of the program adds a folder of files to it."""

    def __init__(self, folder: str, options: t.Mapping[str, t.Any], training: TrackedTraining) -> None:
        wandb = importlib.import_module("wandb")
        self._folder, self._key = folder, training.key
        mode = str(options.get("mode") or _OFFLINE)
        told = rounds_in_files(folder, training.key)
        settings = {"base_url": options["base_url"]} if options.get("base_url") else {}
        self._run = wandb.init(
            mode=mode,
            dir=folder,
            project=training.place or "fedops",
            entity=options.get("entity") or None,
            id=training.key,
            name=training.label,
            group=training.name,
            config={**training.settings, "about": dict(training.about)},
            resume="allow",
            reinit="create_new",  # several trainings at once
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_code=True,
                disable_git=True,
                save_code=False,
                init_timeout=_PATIENCE,
                x_disable_machine_info=True,
                x_disable_meta=True,
                x_disable_stats=True,
                x_save_requirements=False,
                x_transaction_log_flush_interval=_FLUSH,
                **settings,
            ),
        )
        # The service says itself how far it is; what has not reached it is told again.
        self.last = max(told, default=0) if mode == _OFFLINE else max(0, self._run.step - 1)
        self.link = self._run.url or os.path.join(folder, "wandb")

    def tell(self, one: TrackedRound) -> None:
        self._run.log({**one.figures, "round": one.number, "time": one.time}, step=one.number, commit=True)
        self.last = one.number

    def close(self, closing: Closing) -> None:
        self._run.summary.update({"state": closing.state, **closing.facts})
        self._finish(0 if closing.state == FINISHED else 1)

    def leave(self) -> None:
        self._finish(None)

    def _finish(self, status: int | None) -> None:
        """End it, and wait for the file: the library says that it has finished a moment before it has."""
        self._run.finish(exit_code=status)
        until = time.monotonic() + _SETTLING
        while max(rounds_in_files(self._folder, self._key), default=0) < self.last:
            if time.monotonic() > until:
                raise TrackerError(f"wandb has not written round {self.last} within {_SETTLING:g} s")
            time.sleep(0.1)


def rounds_in_files(folder: str, key: str) -> list[int]:
    """Return the rounds that are in the files of a run, each as often as it is there."""
    proto = importlib.import_module("wandb.proto.wandb_internal_pb2")
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "wandb", f"*run-*-{key}", f"run-{key}.wandb"))):
        for text in log_records(path):
            record = proto.Record.FromString(text)
            if record.WhichOneof("record_type") == "history":
                found.append(int(record.history.step.num))
    return found


def log_records(path: str) -> t.Iterator[bytes]:
    """Yield the whole records of a file; one that was cut off ends it."""
    with open(path, "rb") as stream:
        content = stream.read()
    place, parts = _BEGINNING, b""
    while place + _HEAD.size <= len(content):
        left = _BLOCK - place % _BLOCK
        if left < _HEAD.size:
            place += left
            continue
        check, length, kind = _HEAD.unpack_from(content, place)
        piece = content[place + _HEAD.size : place + _HEAD.size + length]
        if len(piece) < length or zlib.crc32(piece, zlib.crc32(bytes([kind]))) != check:
            return
        place += _HEAD.size + length
        parts = piece if kind in (_WHOLE, _FIRST) else parts + piece
        if kind in (_WHOLE, _LAST):
            yield parts
