# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models out: the arrays of a checkpoint as a file that others read, made without the rights of root, and verified.

The checkpoint is verified first. What writes the file runs as the ServerApps do, and what it has written is data: a
regular file of a bounded size, whose arrays are compared with those of the checkpoint.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass

from .._base.bounded import Head, run
from .._base.errors import FedopsError
from .._base.hardening import CLOSED_DOORS, SANDBOXES, Directives
from .._base.identity import APPS_USER, as_checkpoint_owner
from .._base.jsonable import loads
from .._base.layout import folder
from .._base.reading import sha256_of
from .._base.records import read_object
from .._base.transient import APART, in_transient_unit, last_words
from .._checkpoint import models, safetensors
from .._checkpoint.checkpoint import Checkpoint
from .._checkpoint.directory import latest_good
from .._checkpoint.manifest import CheckpointError, opened
from .._checkpoint.names import arrays_name
from .._checkpoint.trainings import directory_of
from .._checkpoint.verification import verify
from .._flower.app_record import own_apps
from .._flower.assumptions import QUIET
from .folder import REQUEST_FILE, TrainingFolder

OF_APP = "app"
EXPORT_FORMS = ("npz", "safetensors", "pt", OF_APP)
BEST = "best"  # in the place of the number of a round
WORK = ".export-"  # what a folder for one export begins with, in the directory of checkpoints
LONGEST_ENDING = 40  # letters that an app may add to the name of its file
EXPORT_PIECE = 32 << 20  # bytes that travel at once

_SECONDS = 1800
_OLD = 86400  # seconds: what was made has travelled long ago
_MORE = 256 << 20  # bytes that a form may take beside four times the model
_MEMORY = 4 << 30  # bytes beside the model, for a framework
_ANSWER = 1 << 12


class ExportError(FedopsError):
    """A model cannot be exported; the message says why."""


@dataclass(frozen=True)
class Exported:
    """A file that was made, where it lies, and what is known of it."""

    checkpoint: Checkpoint
    folder: str
    name: str
    sha256: str
    size: int

    @property
    def path(self) -> str:
        return os.path.join(self.folder, "out", self.name)


def find_checkpoint(path: str, training: str, wanted: str | None) -> Checkpoint:
    """Return a round of a training by its number, or the best one, verified; without either its newest good one."""
    if wanted and wanted != BEST and not (wanted.isascii() and wanted.isdecimal() and int(wanted)):
        raise ExportError(f"round is {wanted!r} but must be the number of a round, or {BEST}.")
    with as_checkpoint_owner():
        place = directory_of(path, training)
        problems: list[str] = []
        found = verify(os.path.join(place, arrays_name(int(wanted)))) if wanted and wanted != BEST else None
        found = found or latest_good(place, training=training, on_problem=problems.append)
        if found and wanted == BEST:
            if not found.best_round:
                raise ExportError(
                    f"{found.path} names no best round, which early stopping finds (fl_early_stopping_patience)."
                    " Give the number of a round, or leave it out for the newest one."
                )
            found = verify(os.path.join(place, arrays_name(found.best_round)))
    if found is None:
        raise ExportError(f"{place} holds no good checkpoint of the training {training}. {' '.join(problems)}".rstrip())
    if found.training != training:
        raise ExportError(f"{found.path} is of the training {found.training}, not of {training}.")
    return found


class Exporter:
    """Makes a file of a checkpoint of a training."""

    def __init__(self, home: str, path: str, training: str) -> None:
        self.home, self.path, self.training = home, path, training

    def make(self, checkpoint: Checkpoint, form: str, program: str) -> Exported:
        """Write the file with the text of the program, and verify it."""
        manifest = checkpoint.manifest
        described = [(entry["name"], entry["dtype"], entry["shape"]) for entry in manifest["arrays"]]
        try:
            table = safetensors.write_table(described, {"training": self.training, "round": str(checkpoint.round)})
        except ValueError as error:
            if form == "safetensors":
                raise ExportError(f"{checkpoint.path} cannot be written as safetensors: {error}.") from error
            table = b""
        app = self._app() if form == OF_APP else ""
        job = {
            "checkpoint": checkpoint.path, "names": [name for name, dummy, shape in described], "format": form,
            "table": table.hex(), "app": app,
        }  # fmt: skip
        with as_checkpoint_owner():
            self._forget()
            work = tempfile.mkdtemp(prefix=WORK, dir=self.path)
            os.mkdir(os.path.join(work, "out"), 0o700)
            with open(os.path.join(work, "job.json"), "x", encoding="utf-8") as stream:
                json.dump(job, stream)
        try:
            name = self._run(work, int(manifest["bytes"]), program)
            return self._verified(checkpoint, work, name, form)
        except BaseException:
            with as_checkpoint_owner():
                shutil.rmtree(work, ignore_errors=True)
            raise

    def remove(self, made: str) -> None:
        """Remove the folder of a file that was made."""
        with as_checkpoint_owner():
            shutil.rmtree(os.path.join(self.path, _parts(made)[0]))

    def _forget(self) -> None:
        """Remove the folders of exports that were killed, and not of one that is under way beside this one."""
        for name in os.listdir(self.path):
            path = os.path.join(self.path, name)
            if name.startswith(WORK) and time.time() - os.lstat(path).st_mtime > _OLD:
                shutil.rmtree(path, ignore_errors=True)

    def command(self, work: str, size: int) -> list[str]:
        """Return what runs the program, whose text it reads: as a ServerApp, but without a network."""
        hidden = [folder(self.home, name) for name in ("certificates", "control", "state", "trainings", "published")]
        properties: Directives = {
            **{name: value for name, value in SANDBOXES["flower-superexec"].items() if name != "SyslogLevelPrefix"},
            **APART,
            "User": APPS_USER,
            "Group": APPS_USER,
            "UMask": "0077",
            "RuntimeMaxSec": str(_SECONDS),
            "LimitFSIZE": str(_most(size)),
            "MemoryMax": str(_MEMORY + 8 * size),
            "TasksMax": "512",
            # A server of NFS may show root nothing below the directory that is mounted.
            "ReadWritePaths": work if os.path.isdir(work) else self.path,
            "InaccessiblePaths": " ".join([*(f"-{path}" for path in hidden), *CLOSED_DOORS]),
        }
        command = [os.path.join(self.home, "venv", "bin", "python"), "-I", "-B", "-", work]
        return in_transient_unit("Flower exports a model", command, properties, QUIET)

    def _app(self) -> str:
        request = os.path.join(TrainingFolder(self.home, self.training).path, REQUEST_FILE)
        app = (read_object(request) or {}).get("app")
        # As it was deployed, or the copy of it that the training has for itself.
        places = folder(self.home, "app"), own_apps(self.home, self.training)
        if not isinstance(app, str) or os.path.dirname(app) not in places:
            raise ExportError(
                f"The app of the training {self.training} is not known on this host: train it here first."
            )
        return app

    def _run(self, work: str, size: int, program: str) -> str:
        with tempfile.TemporaryFile() as text:
            text.write(program.encode("utf-8"))
            text.seek(0)
            try:
                done = run(self.command(work, size), _SECONDS + 30, Head(_ANSWER), stdin=text)
            except FileNotFoundError as error:
                raise ExportError(
                    f"{error.filename} is not on this host, and without it nothing is exported."
                ) from None
            except subprocess.TimeoutExpired:
                raise ExportError(f"It took longer than {_SECONDS} s to write the model.") from None
        if done.returncode != 0:
            reason = last_words(done.stderr) or "it ended without a word, as a process without enough memory does"
            raise ExportError(f"The model cannot be written: {reason}")
        try:
            answer = loads(done.stdout)
        except ValueError:
            answer = None
        name = answer.get("name") if isinstance(answer, dict) else None
        if not isinstance(name, str) or os.path.basename(name) != name or name in ("", ".", ".."):
            raise ExportError("The model cannot be written: its file has no name.")
        return name

    def _verified(self, checkpoint: Checkpoint, work: str, name: str, form: str) -> Exported:
        made = Exported(checkpoint, work, name, "", 0)
        most = _most(int(checkpoint.manifest["bytes"]))
        with as_checkpoint_owner(), opened(made.path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if not 0 < size <= most:
                raise ExportError(f"The file of the model has {size} bytes, but may have 1 to {most}.")
            if form in ("npz", "safetensors"):
                with opened(checkpoint.path) as source:
                    _expect_same(checkpoint, source, stream, name, size)
            return Exported(checkpoint, work, name, sha256_of(stream, size), size)


def read_piece(path: str, made: str, offset: int) -> bytes:
    """Return the next piece of a file that was made, empty at its end."""
    work, name = _parts(made)
    with as_checkpoint_owner(), opened(os.path.join(path, work, "out", name)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise CheckpointError(f"{made} is not a regular file.")
        stream.seek(offset)
        return stream.read(EXPORT_PIECE)


def _parts(made: str) -> tuple[str, str]:
    """Return the folder and the name of a file that was made."""
    work, name = os.path.split(made)
    if not work.startswith(WORK) or "/" in work or not name:
        raise ExportError(f"{made!r} is no file of an export.")
    return work, name


def _most(size: int) -> int:
    return 4 * size + _MORE


def _expect_same(checkpoint: Checkpoint, source: t.IO[bytes], stream: t.IO[bytes], name: str, size: int) -> None:
    """Compare arrays with those of the checkpoint: names, types and shapes, and their bytes where both lie alike."""
    expected = {one["name"]: (one["dtype"], tuple(one["shape"])) for one in checkpoint.manifest["arrays"]}
    found = models.entries(stream, name, size)
    if differences := models.differences(found, expected):
        raise ExportError(f"What was written is not the model of {checkpoint.path}: {'; '.join(differences)}.")
    saved = {one.name: one for one in models.entries(source, checkpoint.path, os.fstat(source.fileno()).st_size)}
    for entry in found:
        original = saved[entry.name]
        begin, length = original.begin + original.size - entry.size, entry.size  # without the header that npz has
        if original.in_fortran_order and length != original.size:
            continue
        if not _same_bytes(source, begin, stream, entry.begin, length):
            raise ExportError(
                f"What was written is not the model of {checkpoint.path}: {entry.said} has other numbers."
            )


def _same_bytes(one: t.IO[bytes], begin: int, other: t.IO[bytes], there: int, length: int) -> bool:
    done = 0
    while done < length:
        one.seek(begin + done)
        other.seek(there + done)
        pieces = [stream.read(min(1 << 20, length - done)) for stream in (one, other)]
        if pieces[0] != pieces[1] or not pieces[0]:
            return False
        done += len(pieces[0])
    return True
