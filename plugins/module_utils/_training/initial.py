# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the models that trainings begin with, where the ServerApps can read them and nobody but root can write.

A copy has the name of its hash. It stays as long as a training asks for it.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import time
import typing as t
from contextlib import suppress
from dataclasses import dataclass

from .._base import guarded, reading
from .._base.errors import FedopsError
from .._base.files import nearest
from .._base.identity import checkpoint_owner
from .._base.layout import folder
from .._base.records import read_object, write_object
from .._checkpoint import models
from .._checkpoint.models import CONTROLLER, FORMATS, PT
from .folder import REQUEST_FILE, TrainingFolder
from .follow import training_names

INITIAL_FOLDER, SOURCES = "initial", "sources.json"
MOST_SOURCES = 1000  # that are remembered
_COPY = re.compile(rf"([0-9a-f]{{64}})(?:{'|'.join(map(re.escape, FORMATS))})")
_YOUNG = 86400  # seconds; the training that asks for a copy may not have been written down yet


class InitialModelError(FedopsError):
    """A model cannot be begun with; the message says why and what to do."""


@dataclass(frozen=True)
class Announced:
    """What the controller knows of a file of its own."""

    sha256: str
    size: int


def description(stream: t.IO[bytes], path: str) -> dict[str, t.Any]:
    """Return the hash, size and arrays of a model; those of a .pt file only PyTorch can tell."""
    size = os.fstat(stream.fileno()).st_size
    found = [] if models.format_of(path) == PT else models.entries(stream, path, size)
    arrays = [{"name": one.name, "dtype": one.dtype, "shape": list(one.shape)} for one in found]
    return {"sha256": reading.sha256_of(stream, size), "bytes": size, "arrays": arrays}


class InitialModels:
    """The folder of the copies."""

    def __init__(self, home: str) -> None:
        self.home, self.path = home, folder(home, INITIAL_FOLDER)

    def take(
        self,
        source: str,
        sha256: str | None = None,
        announced: Announced | None = None,
        staged: str | None = None,
        check_mode: bool = False,
    ) -> dict[str, t.Any]:
        """Have a copy of C(source); ask for the file where that lies on the controller and has not come yet."""
        suffix = models.format_of(source)
        if suffix == PT and not glob.glob(os.path.join(self.home, "venv/lib/python3*/site-packages/torch")):
            raise InitialModelError(
                f"fl_initial_checkpoint is {source}, which needs PyTorch, and that is not in the environment of the"
                " ServerApps. Add it (runtime_lock), or save the model as .safetensors."
            )
        if announced:
            _expect(source, sha256, announced.sha256)
            if self._has(announced.sha256, suffix):
                return self._told(False, announced.sha256, suffix)
            self._expect_room(source, announced.size)
            if staged is None:
                return {**self._told(True, announced.sha256, suffix), "needs_file": not check_mode}
        try:
            return self._copy(staged or source, source, sha256, announced, check_mode)
        except FileNotFoundError:
            return self._remembered(source, sha256, suffix)

    def _copy(
        self, path: str, source: str, sha256: str | None, announced: Announced | None, check_mode: bool
    ) -> dict[str, t.Any]:
        suffix = models.format_of(source)
        with guarded.regular_file(path, None) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size not in self._sizes:
                self._expect_room(source, size)  # before it is read: a file may have holes, and claim any size
            about = description(stream, source)
            digest = about["sha256"]
            _expect(source, announced.sha256 if announced else sha256, digest)
            if self._has(digest, suffix):
                return {**self._told(False, digest, suffix), **about}
            self._expect_room(source, about["bytes"])
            if not check_mode:
                self._write(stream, source, about["bytes"], digest, suffix)
        return {**self._told(True, digest, suffix), **about}

    def _write(self, stream: t.IO[bytes], source: str, size: int, digest: str, suffix: str) -> None:
        account = checkpoint_owner()
        owners = (os.geteuid(), account.pw_gid if account else os.getegid())
        guarded.make_directory(self.path, 0o750, owners)
        self._forget()
        stream.seek(0)
        written = hashlib.sha256()
        with guarded.replacing(self._place(digest, suffix), 0o640, owners) as copy:
            for piece in reading.pieces(stream, size):
                written.update(piece)
                copy.write(piece)
            if written.hexdigest() != digest:
                raise InitialModelError(f"fl_initial_checkpoint is {source}, which has changed while it was read.")
        known = list(self._sources.items())[-MOST_SOURCES + 1 :]
        write_object(os.path.join(self.path, SOURCES), {**dict(known), source: digest}, 0o600, guarded.us())

    def _remembered(self, source: str, sha256: str | None, suffix: str) -> dict[str, t.Any]:
        """Go on with the copy of a file that is gone: checkpoints are moved when a training begins beside them."""
        digest = sha256 or str(self._sources.get(source, ""))
        if not digest or not self._has(digest, suffix):
            raise InitialModelError(
                f"fl_initial_checkpoint is {source}, which is not on the SuperLink host. For a file on the controller"
                f" write {CONTROLLER}{source}."
            )
        return self._told(False, digest, suffix)

    @property
    def _sources(self) -> dict[str, t.Any]:
        return read_object(os.path.join(self.path, SOURCES), (os.geteuid(),)) or {}

    def _place(self, digest: str, suffix: str) -> str:
        return os.path.join(self.path, digest + suffix)

    def _has(self, digest: str, suffix: str) -> bool:
        try:
            with guarded.regular_file(self._place(digest, suffix), None, (os.geteuid(),)) as stream:
                return reading.sha256_of(stream, os.fstat(stream.fileno()).st_size) == digest
        except FileNotFoundError:
            return False

    @property
    def _sizes(self) -> set[int]:
        """The sizes of the copies that are there."""
        try:
            found = [guarded.status(os.path.join(self.path, name)) for name in guarded.names(self.path)]
        except FileNotFoundError:
            return set()
        return {one.st_size for one in found if one}

    def _expect_room(self, source: str, size: int) -> None:
        there = os.statvfs(nearest(self.path))
        free = there.f_bavail * there.f_frsize
        if size > free:
            raise InitialModelError(
                f"fl_initial_checkpoint is {source} of {size} bytes, but {self.path} has room for {free}."
                " Make room there."
            )

    def _told(self, changed: bool, digest: str, suffix: str) -> dict[str, t.Any]:
        path = self._place(digest, suffix)
        return {
            "changed": changed,
            "path": path,
            "sha256": digest,
            "diff": {"before": "", "after": path if changed else ""},
        }

    def _forget(self) -> None:
        """Remove copies that no training asks for any more."""
        asked = b""
        for name in training_names(self.home):
            with suppress(OSError):
                asked += guarded.read_bytes(os.path.join(TrainingFolder(self.home, name).path, REQUEST_FILE))
        for name in guarded.names(self.path):
            match, path = _COPY.fullmatch(name), os.path.join(self.path, name)
            found = guarded.status(path) if match else None
            if match and found and match.group(1).encode() not in asked and time.time() - found.st_mtime > _YOUNG:
                guarded.remove(path)


def _expect(source: str, expected: str | None, found: str) -> None:
    if expected and expected != found:
        raise InitialModelError(
            f"fl_initial_checkpoint is {source}, whose SHA-256 is {found}, but fl_initial_sha256 is {expected}."
            " Another model is another training: leave fl_initial_sha256 unset to begin with this one."
        )
