# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoints of a training that is forgotten with them: which files are its own, and which folders go with these.

What another training has there, or nobody can read, stays.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import contextmanager, suppress

from .._base import identity
from .._checkpoint.directory import list_checkpoints, list_rounds, put_aside
from .._checkpoint.lock import LOCK, take_lock
from .._checkpoint.names import (
    BEST_ARRAYS,
    BEST_MANIFEST,
    LATEST_ARRAYS,
    LATEST_MANIFEST,
    PARTIAL,
    PREVIOUS,
    arrays_name,
    manifest_name,
)

LAST_SAVE = 15.0  # seconds; a ServerApp whose run was just stopped ends a few seconds later, and may be saving
_LINKS = ((LATEST_ARRAYS, LATEST_MANIFEST), (BEST_ARRAYS, BEST_MANIFEST))


class KeptCheckpoints:
    """What a training has in its directory; with C(whole) also halves of a save, which have no name in them."""

    def __init__(self, directory: str, training: str, whole: bool = False) -> None:
        self.directory, self.training, self._whole = directory, training, whole
        self._is_own = os.path.basename(directory) == training  # and not the directory of all trainings

    def paths(self) -> list[str]:
        """Return its files, then the folders that are empty without them, in the order in which they go.

        :raises UnreadableError: when the storage does not give what lies there.
        """
        with identity.as_checkpoint_owner():
            files, folders = self._found()
        return [*files, *folders]

    def remove(self) -> list[str]:
        """Remove them, and return which they were."""
        with identity.as_checkpoint_owner(), self._alone():
            files, folders = self._found()
            for path in files:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            for path in folders:
                with suppress(OSError):  # something has come in
                    os.rmdir(path)
        return [*files, *folders]

    @contextmanager
    def _alone(self) -> t.Iterator[None]:
        """Wait for a ServerApp that has just been stopped, but not for long: it may lie frozen."""
        try:
            lock = os.open(os.path.join(self.directory, LOCK), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            yield  # nobody has begun there
            return
        try:
            with suppress(OSError):
                take_lock(lock, LAST_SAVE)
            yield
        finally:
            os.close(lock)

    def _found(self) -> tuple[list[str], list[str]]:
        aside = put_aside(self.directory)
        files = [path for place in (self.directory, *aside) for path in self._files_of(place)]
        folders: list[str] = []
        for place in (*aside, os.path.join(self.directory, PREVIOUS), *([self.directory] if self._is_own else [])):
            rest = _names(place)
            if rest is None:
                continue
            gone = {os.path.basename(path) for path in (*files, *folders) if os.path.dirname(path) == place}
            left = set(rest) - gone
            if left == {LOCK} and place == self.directory:
                files.append(os.path.join(place, LOCK))
                left.clear()
            if not left and (gone or self._is_own):
                folders.append(place)
        return files, folders

    def _files_of(self, directory: str) -> list[str]:
        """Return the files of one directory, links first."""
        kept = list_checkpoints(directory, strict=True)
        own = [checkpoint.round for checkpoint in kept if checkpoint.training == self.training]
        whole = self._is_own and self._whole and len(own) == len(kept)
        if whole:
            own = list_rounds(directory)
        arrays = {arrays_name(number) for number in own}
        names: list[str] = []
        for link, manifest in _LINKS:
            with suppress(OSError):
                if whole or os.readlink(os.path.join(directory, link)) in arrays:
                    names += [link, manifest]
        if self._is_own:
            names += [name for name in _names(directory) or [] if name.endswith(PARTIAL)]
        for number in own:
            names += [arrays_name(number), manifest_name(number)]  # by the manifest it is found again: that goes last
        paths: t.Iterable[str] = (os.path.join(directory, name) for name in names)
        return [path for path in paths if os.path.lexists(path)]


def _names(directory: str) -> list[str] | None:
    """Return what lies in a directory; None where it cannot be listed, or is none."""
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return None
