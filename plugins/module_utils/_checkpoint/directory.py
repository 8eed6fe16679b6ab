# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint directory looks like, and how to read it without ever trusting a damaged file.

This file is private to the collection and may change at any time.
It needs neither NumPy nor Flower, so that modules can use it on a bare host.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import time
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from .manifest import CheckpointError, UnreadableError, check, load, opened
from .npz import members

LATEST_ARRAYS = "checkpoint_latest.npz"
LATEST_MANIFEST = "checkpoint_latest.json"
PREVIOUS = "previous"

LOCK = ".lock"  # who holds it may write there
LOCK_BUDGET = 90.0  # seconds; a ServerApp that lost its SuperLink lingers, but not longer than its heartbeat

_NAME = re.compile(r"checkpoint_round_([1-9][0-9]*)\.(?:npz|json)")
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint: the file with the arrays, and what its manifest says about it."""

    path: str
    manifest: t.Mapping[str, t.Any]

    @property
    def file(self) -> str:
        return os.path.basename(self.path)

    @property
    def round(self) -> int:
        return self.manifest["round"]

    @property
    def num_rounds(self) -> int:
        return self.manifest["num_rounds"]

    @property
    def timestamp(self) -> str:
        return self.manifest["timestamp"]

    @property
    def training(self) -> str:
        return self.manifest["training"]

    @property
    def configuration_hash(self) -> str:
        return self.manifest["configuration_hash"]

    @property
    def strategy(self) -> str:
        return self.manifest["strategy"]

    @property
    def run_id(self) -> str:
        return self.manifest["run_id"]

    @property
    def sha256(self) -> str:
        return self.manifest["sha256"]

    @property
    def members(self) -> list[str]:
        """The files in that of the arrays, in their order."""
        return [entry["name"] + ".npy" for entry in self.manifest["arrays"] + self.manifest["state_arrays"]]

    @property
    def loss(self) -> float | None:
        return self.manifest["loss"]

    @property
    def accuracy(self) -> float | None:
        return self.manifest["accuracy"]

    def age(self, now: datetime) -> float | None:
        """Return how many seconds ago it was saved; None when its time cannot be read."""
        try:
            # Python before 3.11 does not take the letter for UTC.
            moment = datetime.fromisoformat(self.timestamp.replace("Z", "+00:00"))
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return (now - moment).total_seconds()


@dataclass(frozen=True)
class Inspection:
    """A whole directory, verified: the checkpoints that are good, oldest first, and one sentence per problem."""

    checkpoints: tuple[Checkpoint, ...]
    problems: tuple[str, ...]

    @property
    def latest(self) -> Checkpoint | None:
        return self.checkpoints[-1] if self.checkpoints else None


def arrays_name(round_number: int) -> str:
    """Return the file name of a round's arrays."""
    return f"checkpoint_round_{round_number}.npz"


def manifest_name(round_number: int) -> str:
    """Return the file name of a round's manifest."""
    return f"checkpoint_round_{round_number}.json"


def open_lock(directory: str) -> int:
    """Open the lock of a directory, which is made where there is none; closing it gives the lock back."""
    return os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def take_lock(lock: int, budget: float, on_wait: t.Callable[[], t.Any] | None = None) -> bool:
    """Take an open lock within C(budget) seconds; tell whether we have it. C(on_wait) hears that it is another's."""
    deadline = time.monotonic() + budget
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait:
                on_wait()
            on_wait = None
        else:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.5)


def list_checkpoints(directory: str, strict: bool = False) -> list[Checkpoint]:
    """Return every checkpoint whose manifest can be read, oldest first. The arrays are not looked at.

    With C(strict), a storage that fails raises UnreadableError; without, what it does not give is left out.
    """
    checkpoints = []
    for number in list_rounds(directory):
        try:
            checkpoints.append(_read(directory, number))
        except UnreadableError:
            if strict:
                raise
        except CheckpointError:
            continue
    return checkpoints


def verify(path: str) -> Checkpoint:
    """Return the checkpoint at C(path) (arrays, manifest or the link to the latest), or raise CheckpointError.

    Everything the manifest promises is checked: size, SHA-256 and the names of the arrays.
    """
    real = os.path.realpath(path)
    match = _NAME.fullmatch(os.path.basename(real))
    if match is None:
        raise CheckpointError(f"{path} is not a checkpoint: its name must look like {arrays_name(5)}.")
    checkpoint = _read(os.path.dirname(real), int(match.group(1)))
    _verify_arrays(checkpoint)
    return checkpoint


def latest_good(
    directory: str,
    configuration_hash: str | None = None,
    training: str | None = None,
    on_problem: t.Callable[[str], t.Any] | None = None,
) -> Checkpoint | None:
    """Return the newest checkpoint that passes C(verify), of the given training when one is given.

    Damaged ones are stepped over, newest first; C(on_problem) hears about each.
    """
    report = on_problem or (lambda message: None)
    for number in reversed(list_rounds(directory)):
        try:
            checkpoint = _read(directory, number)
            if configuration_hash not in (None, checkpoint.configuration_hash):
                continue
            if training not in (None, checkpoint.training):
                continue
            _verify_arrays(checkpoint)
        except CheckpointError as error:
            report(str(error))
        else:
            return checkpoint
    return None


def latest_problems(directory: str, latest: Checkpoint) -> list[str]:
    """Say how the link and the copy of the manifest differ from the newest good checkpoint. Readers need neither."""
    link = os.path.join(directory, LATEST_ARRAYS)
    try:
        target = os.readlink(link)
    except OSError:
        return [f"{link} is missing or not a link; it must point to {latest.file}."]
    if target != latest.file:
        return [f"{link} points to {target}; the newest good checkpoint is {latest.file}."]
    copy = os.path.join(directory, LATEST_MANIFEST)
    try:
        same = load(copy) == latest.manifest
    except CheckpointError as error:
        return [str(error)]
    return [] if same else [f"{copy} is not a copy of {manifest_name(latest.round)}."]


def inspect(directory: str, strict: bool = False) -> Inspection:
    """Verify every checkpoint in a directory, and the link to the latest.

    With C(strict), what the storage does not give raises UnreadableError; without, it is one of the problems.
    """
    good: list[Checkpoint] = []
    problems: list[str] = []
    for number in list_rounds(directory):
        try:
            good.append(verify(os.path.join(directory, arrays_name(number))))
        except CheckpointError as error:
            if strict and isinstance(error, UnreadableError):
                raise
            problems.append(str(error))
    if good:
        problems.extend(latest_problems(directory, good[-1]))
    return Inspection(tuple(good), tuple(problems))


def find(directory: str, sha256: str, strict: bool = False) -> Checkpoint | None:
    """Return the checkpoint with this hash, verified, also when another training has put it aside; None: it is gone.

    C(strict) is that of C(inspect).
    """
    for place in (directory, *_put_aside(directory)):
        for checkpoint in list_checkpoints(place, strict):
            if checkpoint.sha256 == sha256:
                try:
                    return verify(checkpoint.path)
                except CheckpointError as error:
                    if strict and isinstance(error, UnreadableError):
                        raise
    return None


def _sha256(stream: t.IO[bytes], left: int) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(min(_CHUNK, left)):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest()


def room(directory: str, checkpoints: t.Iterable[Checkpoint]) -> int:
    """Return the bytes that are free in a directory when these checkpoints, which it holds, make way."""
    there = os.statvfs(directory)
    return there.f_bavail * there.f_frsize + sum(int(checkpoint.manifest["bytes"]) for checkpoint in checkpoints)


def list_rounds(directory: str) -> list[int]:
    """Return the rounds that have any file, ascending by number: as strings, 10 would come before 9."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnreadableError(f"{directory} cannot be read: {error.strerror}.") from error
    return sorted({int(match.group(1)) for match in map(_NAME.fullmatch, names) if match})


def _put_aside(directory: str) -> list[str]:
    """Return the folders with what other trainings have left."""
    aside = os.path.join(directory, PREVIOUS)
    try:
        return [os.path.join(aside, name) for name in os.listdir(aside) if os.path.isdir(os.path.join(aside, name))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableError(f"{aside} cannot be read: {error.strerror}.") from error


def _read(directory: str, number: int) -> Checkpoint:
    """Read one manifest and check that it is whole and speaks of this file."""
    path = os.path.join(directory, manifest_name(number))
    try:
        os.lstat(path)
    except FileNotFoundError:
        # The manifest is written after the arrays: a crash in between leaves exactly this.
        raise CheckpointError(f"{path} is missing, so {arrays_name(number)} cannot be trusted.") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    manifest = load(path)
    check(path, number, manifest)
    return Checkpoint(os.path.join(directory, arrays_name(number)), manifest)


def _verify_arrays(checkpoint: Checkpoint) -> None:
    """Check the arrays against the manifest; the cheap checks come first."""
    path, manifest = checkpoint.path, checkpoint.manifest
    try:
        with opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != manifest["bytes"]:
                raise CheckpointError(f"{path} is damaged: it has {size} bytes, its manifest says {manifest['bytes']}.")
            digest = _sha256(stream, size)
            if digest != checkpoint.sha256:
                raise CheckpointError(
                    f"{path} is damaged: its SHA-256 is {digest}, its manifest says {checkpoint.sha256}."
                )
            members(stream, size, checkpoint.members)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing, though its manifest is there.") from error
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
