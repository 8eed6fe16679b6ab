# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A directory of checkpoints: saved so that at every instant it holds a complete one that can be verified."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, cast
from zipfile import BadZipFile

from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from . import npz
from .arrays import is_finite, view
from .errors import DirectoryBusyError, NotSavedError, RunFailedError
from .knowledge._checkpoint import directory as layout
from .knowledge._checkpoint.checkpoint import Checkpoint
from .knowledge._checkpoint.lock import LOCK_BUDGET, open_lock, take_lock
from .knowledge._checkpoint.manifest import CheckpointError, UnreadableError, opened, sealed
from .knowledge._checkpoint.names import (
    BEST_ARRAYS,
    BEST_MANIFEST,
    LATEST_ARRAYS,
    LATEST_MANIFEST,
    PARTIAL,
    PREVIOUS,
    SAVED,
    arrays_name,
    manifest_name,
)
from .knowledge._checkpoint.plain import plain_rounds
from .knowledge._checkpoint.trainings import has_folder
from .publish import logger
from .state import OWN

DAMAGED = "damaged"  # what is put aside under this label is of no use but to look for the reason
KEPT_DAMAGED = 3  # times that such is kept of, the newest
_OF_DAMAGED = re.compile(rf"{DAMAGED}-[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z", re.ASCII)
_FAREWELL = 5.0  # seconds for the storage to take note of the end


class CheckpointDirectory:
    """The checkpoints of one training, newest K and best kept."""

    def __init__(self, directory: str, keep_last: int = 0, keep_best: bool = False, shared: str | None = None) -> None:
        """Take the training's own directory, and that of all trainings if there is one: the same, or the one above."""
        self.path = directory
        self._shared = shared
        self._keep_last = keep_last
        self._keep_best = keep_best

    @contextmanager
    def locked(self, budget: float = LOCK_BUDGET) -> Iterator[None]:
        """Own the directory: two runs that save into one would destroy each other's work."""
        try:
            self._make()
            lock = open_lock(self.path)
        except OSError as error:
            raise RunFailedError(
                f"fl_checkpoint_path is {self.path} but cannot be written: {error.strerror}."
                " Create the directory for the user flower, or turn fl_checkpoint_enabled off."
            ) from None
        try:
            self._acquire(lock, budget)
            with suppress(OSError):  # a save tries it again, and says so
                self._remove_partial_files()
            yield
        finally:
            _let_go(lock)

    def save(self, arrays: Mapping[str, Array], state: Mapping[str, NDArray], about: Mapping[str, Any]) -> Checkpoint:
        """Save one round. ``about`` is what the manifest says beyond the arrays themselves.

        When that fails, the older checkpoints are as they were, and what this one took of the disk is given back.
        """
        number = int(about["round"])
        try:
            self._remove_partial_files()  # of a save that could not even tidy up
            checkpoint = self._write(number, arrays, state, about)
        except (OSError, CheckpointError) as error:
            with suppress(OSError):
                self._remove_partial_files()
                self._remove_half(number)
            raise NotSavedError(
                f"The checkpoint of round {number} cannot be saved in {self.path}: {_cause(error)}."
            ) from error
        try:
            self._prune()
        except (OSError, CheckpointError) as error:
            logger.warning("Older checkpoints in %s cannot be removed: %s", self.path, _cause(error))
        return checkpoint

    def load(self, checkpoint: Checkpoint, infinite: Set[str] = frozenset()) -> tuple[ArrayRecord, dict[str, NDArray]]:
        """Return the model and the strategy's state of a verified checkpoint.

        It may come from a bucket that others write: whatever is wrong with its arrays is a CheckpointError. Only those
        that are named as such, and what a strategy says itself, may hold infinite numbers.
        """
        try:
            return self._loaded(checkpoint, infinite)
        except CheckpointError:
            raise
        except OSError as error:
            raise UnreadableError(f"{checkpoint.path} cannot be read: {error.strerror}.") from error
        except (ArithmeticError, EOFError, LookupError, RuntimeError, TypeError, ValueError, BadZipFile) as error:
            raise CheckpointError(f"{checkpoint.path} is damaged: {error}.") from error

    def _loaded(self, checkpoint: Checkpoint, infinite: Set[str]) -> tuple[ArrayRecord, dict[str, NDArray]]:
        manifest, prefix = checkpoint.manifest, checkpoint.manifest["state_prefix"]
        entries = [*manifest["arrays"], *manifest["state_arrays"]]
        arrays: dict[str, Array] = {}
        state: dict[str, NDArray] = {}
        for entry, array in zip(entries, npz.read(checkpoint.path, checkpoint.members), strict=True):
            name, said = entry["name"], (entry["dtype"], tuple(entry["shape"]))
            if said != (array.dtype, array.shape):
                raise ValueError(f"{name!r} is {array.dtype}{list(array.shape)}, its manifest says {said[0]}{said[1]}")
            values = view(array)
            free = name in infinite or name.startswith(prefix + OWN)
            if not free and not is_finite(values):
                raise ValueError(f"{name!r} holds NaN or infinite numbers")
            if len(arrays) < len(manifest["arrays"]):
                arrays[name] = array
            elif name.startswith(prefix):
                state[name[len(prefix) :]] = values.copy(order="K")
            else:
                raise ValueError(f"{name!r} is no state by its name")
        return ArrayRecord(arrays), state

    def rounds(self) -> list[int]:
        """Return the rounds that have any file."""
        return layout.list_rounds(self.path)

    def plain_rounds(self) -> list[int]:
        """Return the rounds that another program has written, which are no checkpoints of ours."""
        return plain_rounds(self.path, self.rounds())

    def set_aside(self, rounds: Iterable[int], label: str, more: Iterable[str] = ()) -> str | None:
        """Move the files of rounds, and more, below ``previous``; return where to, or None when there was nothing."""
        names = [name for number in rounds for name in (arrays_name(number), manifest_name(number))] + list(more)
        present = [name for name in names if os.path.lexists(os.path.join(self.path, name))]
        if not present:
            return None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        target = os.path.join(self.path, PREVIOUS, f"{label}-{moment}")
        try:
            self._move(present, target)
            self._repair_latest()
        except OSError as error:
            raise RunFailedError(f"Checkpoints in {self.path} cannot be moved aside: {_cause(error)}.") from error
        if label == DAMAGED:
            self._forget_damaged()
        return target

    def _forget_damaged(self) -> None:
        """Remove what was damaged and put aside long ago: a disk that fails again and again must not fill."""
        above = os.path.join(self.path, PREVIOUS)
        for name in sorted(filter(_OF_DAMAGED.fullmatch, os.listdir(above)))[:-KEPT_DAMAGED]:
            with suppress(OSError):
                shutil.rmtree(os.path.join(above, name))

    def hand_over(self, rounds: Sequence[int], training: str) -> str | None:
        """Move checkpoints to the folder of another training, which then goes on from them; return that.

        None: it has no folder here, something else is in it, or a run of it is saving there. Killed at any moment, the
        older place or the newer one has all of them.
        """
        if self._shared != self.path or not has_folder(training):
            return None
        there = CheckpointDirectory(os.path.join(self.path, training))
        try:
            with there.locked(budget=0):
                return there.path if self._move_whole(rounds, there) else None
        except (OSError, CheckpointError, RunFailedError) as error:
            logger.warning("Checkpoints of the training %s cannot be moved to %s: %s", training, there.path, error)
            return None

    def _move_whole(self, rounds: Sequence[int], there: CheckpointDirectory) -> bool:
        manifests = {kept.round: kept.manifest for kept in layout.list_checkpoints(self.path) if kept.round in rounds}
        if any(kept.manifest != manifests.get(kept.round) for kept in layout.list_checkpoints(there.path)):
            return False
        # A manifest makes a checkpoint one: it comes last, and goes first.
        for number in rounds:
            for name in (arrays_name(number), manifest_name(number)):
                _link_or_copy(os.path.join(self.path, name), os.path.join(there.path, name))
        there._repair_latest()
        for number in rounds:
            for name in (manifest_name(number), arrays_name(number)):
                os.unlink(os.path.join(self.path, name))
        self._repair_latest()
        _sync_directory(self.path)
        return True

    def publish(self, checkpoint: Checkpoint) -> None:
        """Let the latest be this one, which a run that died may have saved and not yet published."""
        try:
            if layout.latest_problems(self.path, checkpoint):
                self._publish_latest(checkpoint)
            else:
                self._publish_best(checkpoint)
        except OSError as error:
            raise RunFailedError(f"{self.path} cannot be written: {_cause(error)}.") from error

    def _write(
        self, number: int, arrays: Mapping[str, Array], state: Mapping[str, NDArray], about: Mapping[str, object]
    ) -> Checkpoint:
        prefix = _unused_prefix(arrays)
        previous = [kept for kept in layout.list_checkpoints(self.path) if kept.round < number]
        with self._replacing(arrays_name(number)) as stream:
            written = npz.write(stream, {**arrays, **{prefix + name: array for name, array in state.items()}})
        manifest = sealed(
            {
                **about,
                "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
                "file": arrays_name(number),
                "num_arrays": len(arrays),
                "arrays": _described(arrays),
                "state_prefix": prefix,
                "state_arrays": _described({prefix + name: array for name, array in state.items()}),
                "sha256": written.sha256,
                "bytes": written.size,
                "parent": previous[-1].sha256 if previous else None,
            }
        )
        self._write_manifest(manifest_name(number), manifest)
        checkpoint = Checkpoint(os.path.join(self.path, arrays_name(number)), manifest)
        self._publish_latest(checkpoint)
        return checkpoint

    def _move(self, names: Iterable[str], target: str) -> None:
        """Move files so that no power cut parts arrays from their manifest: all are there before one is gone here."""
        os.makedirs(target, mode=0o750)
        for name in names:
            here, there = os.path.join(self.path, name), os.path.join(target, name)
            try:
                os.link(here, there, follow_symlinks=False)
            except OSError:  # a file system without hard links, or something else under the name of a file
                os.rename(here, there)
        for directory in (target, os.path.dirname(target), self.path):
            _sync_directory(directory)
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.path, name))
        _sync_directory(self.path)

    def _make(self) -> None:
        """Make the directory, and make its name durable: files in a directory that a power cut takes are gone too."""
        if os.path.isdir(self.path):
            return
        os.makedirs(self.path, mode=0o750, exist_ok=True)
        _sync_directory(os.path.dirname(os.path.abspath(self.path)))

    def _acquire(self, lock: int, budget: float) -> None:
        def tell() -> None:
            logger.info("Another run still holds %s; waiting for it to end", self.path)

        if not take_lock(lock, budget, tell):
            raise DirectoryBusyError(
                f"fl_checkpoint_path is {self.path} but another run is saving there."
                " Stop it first, or give this training a directory of its own."
            )

    @contextmanager
    def _replacing(self, name: str) -> Iterator[FileIO]:
        """Let a file be written and made durable under another name, then give it its own.

        Names become durable when the latest is published, all at once: until then, the older checkpoint is kept.
        """
        path = os.path.join(self.path, name)
        with open(path + PARTIAL, "wb", buffering=0) as stream:
            yield stream
        os.rename(path + PARTIAL, path)

    def _write_manifest(self, name: str, manifest: Mapping[str, object]) -> None:
        text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
        with self._replacing(name) as stream:
            npz.write_all(stream, text.encode())
            os.fsync(stream.fileno())

    def _publish_latest(self, checkpoint: Checkpoint) -> None:
        self._point(LATEST_ARRAYS, LATEST_MANIFEST, checkpoint)
        self._publish_best(checkpoint)
        if self._shared not in (None, self.path):
            with suppress(OSError):  # who watches the directory of all looks from time to time as well
                Path(self._shared, SAVED).touch()

    def _publish_best(self, newest: Checkpoint) -> None:
        """Let the best be the one that the newest names; there is none where early stopping looks for none."""
        kept = layout.list_checkpoints(self.path) if newest.best_round else []
        best = next((checkpoint for checkpoint in kept if checkpoint.round == newest.best_round), None)
        if best is None:
            for path in (os.path.join(self.path, name) for name in (BEST_ARRAYS, BEST_MANIFEST)):
                if os.path.lexists(path):
                    os.unlink(path)
        elif layout.link_problems(self.path, best, BEST_ARRAYS, BEST_MANIFEST):
            self._point(BEST_ARRAYS, BEST_MANIFEST, best)

    def _point(self, arrays: str, manifest: str, checkpoint: Checkpoint) -> None:
        """Let a link and a copy of its manifest be those of a checkpoint."""
        self._write_manifest(manifest, checkpoint.manifest)
        link = os.path.join(self.path, arrays)
        os.symlink(checkpoint.file, link + PARTIAL)
        os.rename(link + PARTIAL, link)
        _sync_directory(self.path)

    def _repair_latest(self) -> None:
        """Let the latest be the newest that is still there."""
        remaining = layout.list_checkpoints(self.path)
        if remaining:
            self._publish_latest(remaining[-1])
            return
        for name in (LATEST_ARRAYS, LATEST_MANIFEST, BEST_ARRAYS, BEST_MANIFEST):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.path, name))

    def _prune(self) -> None:
        """Remove all but the newest and the best. A manifest goes first: arrays without one are never trusted."""
        if not self._keep_last:
            return
        # Strict: what the disk fails to show for a moment is not what is superfluous.
        checkpoints = layout.list_checkpoints(self.path, strict=True)
        kept = {checkpoint.round for checkpoint in checkpoints[-self._keep_last :]}
        if any(checkpoint.round == checkpoints[-1].best_round for checkpoint in checkpoints):
            kept.add(checkpoints[-1].best_round)
        elif self._keep_best and (best := _best(checkpoints)):
            kept.add(best.round)
        for number in set(self.rounds()) - kept:
            for name in (manifest_name(number), arrays_name(number)):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.path, name))
        _sync_directory(self.path)

    def _remove_half(self, number: int) -> None:
        """Give back the space of arrays that have no manifest: nobody would ever read them."""
        if not os.path.lexists(os.path.join(self.path, manifest_name(number))):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(self.path, arrays_name(number)))

    def _remove_partial_files(self) -> None:
        for name in os.listdir(self.path):
            if name.startswith("checkpoint_") and name.endswith(PARTIAL):
                os.unlink(os.path.join(self.path, name))


def _best(checkpoints: list[Checkpoint]) -> Checkpoint | None:
    """Return the checkpoint with the lowest loss; where no loss is known, with the highest accuracy."""
    by_loss = [checkpoint for checkpoint in checkpoints if checkpoint.loss is not None]
    if by_loss:
        return min(by_loss, key=lambda checkpoint: cast("float", checkpoint.loss))
    by_accuracy = [checkpoint for checkpoint in checkpoints if checkpoint.accuracy is not None]
    return max(by_accuracy, key=lambda checkpoint: cast("float", checkpoint.accuracy), default=None)


def _unused_prefix(arrays: Mapping[str, Array]) -> str:
    """Return a prefix for the state that no array of the model begins with."""
    prefix = "state/"
    while any(name.startswith(prefix) for name in arrays):
        prefix = "_" + prefix
    return prefix


def _let_go(lock: int) -> None:
    """Close the lock, but not at any price: storage that is away answers to nothing, and the run must end all the same.

    What is still open then is closed with the process.
    """
    closing = threading.Thread(target=os.close, args=(lock,), name="unlock", daemon=True)
    closing.start()
    closing.join(_FAREWELL)


def _described(arrays: Mapping[str, Array | NDArray]) -> list[dict[str, object]]:
    return [{"name": name, "shape": list(array.shape), "dtype": str(array.dtype)} for name, array in arrays.items()]


def _cause(error: Exception) -> str:
    """Say what went wrong, without the number and the temporary name that an OSError carries."""
    return (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")


def _link_or_copy(path: str, target: str) -> None:
    """Give a file another name, in the place of what has it. A file system without hard links gets a copy."""
    partial = target + PARTIAL
    try:
        os.link(path, partial, follow_symlinks=False)
    except OSError:
        with opened(path) as source, open(partial, "wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
    os.rename(partial, target)
    with suppress(FileNotFoundError):
        os.unlink(partial)  # which is there still where both were one file already


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
