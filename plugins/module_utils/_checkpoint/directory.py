# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint directory holds, all of it or the newest that is good.

This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .checkpoint import Checkpoint
from .manifest import CheckpointError, UnreadableError, load
from .names import LATEST_ARRAYS, LATEST_MANIFEST, PREVIOUS, arrays_name, manifest_name, round_of
from .plain import plain_rounds, plain_text
from .verification import read_checkpoint, verify, verify_arrays

MOST_DAMAGED = 100  # checkpoints that a look at a directory steps over: whoever writes there may plant any number


@dataclass(frozen=True)
class Inspection:
    """A whole directory, verified: the checkpoints that are good, oldest first, and one sentence per problem."""

    checkpoints: tuple[Checkpoint, ...]
    problems: tuple[str, ...]

    @property
    def latest(self) -> Checkpoint | None:
        return self.checkpoints[-1] if self.checkpoints else None


def list_checkpoints(directory: str, strict: bool = False) -> list[Checkpoint]:
    """Return every checkpoint whose manifest can be read, oldest first. The arrays are not looked at.

    With C(strict), a storage that fails raises UnreadableError; without, what it does not give is left out.
    """
    checkpoints = []
    for number in list_rounds(directory):
        try:
            checkpoints.append(read_checkpoint(directory, number))
        except UnreadableError:
            if strict:
                raise
        except CheckpointError:
            continue
    return checkpoints


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
            checkpoint = read_checkpoint(directory, number)
            if configuration_hash not in (None, checkpoint.configuration_hash):
                continue
            if training not in (None, checkpoint.training):
                continue
            verify_arrays(checkpoint)
        except CheckpointError as error:
            report(str(error))
        else:
            return checkpoint
    return None


def latest_problems(directory: str, latest: Checkpoint) -> list[str]:
    """Say how the link and the copy of the manifest differ from the newest good checkpoint. Readers need neither."""
    return link_problems(directory, latest, LATEST_ARRAYS, LATEST_MANIFEST)


def link_problems(directory: str, wanted: Checkpoint, arrays: str, manifest: str) -> list[str]:
    """Say how a link to arrays and a copy of their manifest, by their names, differ from a checkpoint."""
    link = os.path.join(directory, arrays)
    try:
        target = os.readlink(link)
    except OSError:
        return [f"{link} is missing or not a link; it must point to {wanted.file}."]
    if target != wanted.file:
        return [f"{link} points to {target}; the newest good checkpoint is {wanted.file}."]
    copy = os.path.join(directory, manifest)
    try:
        same = load(copy) == wanted.manifest
    except CheckpointError as error:
        return [str(error)]
    return [] if same else [f"{copy} is not a copy of {manifest_name(wanted.round)}."]


def inspect(directory: str, strict: bool = False, newest: bool = False) -> Inspection:
    """Verify every checkpoint in a directory, and the link to the latest.

    With C(strict), what the storage does not give raises UnreadableError; without, it is one of the problems. With
    C(newest), what is older than the newest good checkpoint is not looked at, nor is what is older than C(MOST_DAMAGED)
    damaged ones.
    """
    good: list[Checkpoint] = []
    problems: list[str] = []
    rounds = list_rounds(directory)
    plain = plain_rounds(directory, rounds)
    for number in reversed([number for number in rounds if number not in plain]):
        if len(problems) == MOST_DAMAGED:
            problems.append(f"{directory} has {MOST_DAMAGED} damaged checkpoints. Older ones are not looked at.")
            break
        try:
            good.append(verify(os.path.join(directory, arrays_name(number))))
        except CheckpointError as error:
            if strict and isinstance(error, UnreadableError):
                raise
            problems.append(str(error))
        else:
            if newest:
                break
    good.reverse()
    problems.reverse()
    problems += [plain_text(directory, plain)] if plain else []
    if good:
        problems.extend(latest_problems(directory, good[-1]))
    return Inspection(tuple(good), tuple(problems))


def find(directory: str, sha256: str, strict: bool = False) -> Checkpoint | None:
    """Return the checkpoint with this hash, verified, also when another training has put it aside; None: it is gone.

    C(strict) is that of C(inspect).
    """
    for place in (directory, *put_aside(directory)):
        for checkpoint in list_checkpoints(place, strict):
            if checkpoint.sha256 == sha256:
                try:
                    return verify(checkpoint.path)
                except CheckpointError as error:
                    if strict and isinstance(error, UnreadableError):
                        raise
    return None


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
    return sorted({number for number in map(round_of, names) if number is not None})


def put_aside(directory: str) -> list[str]:
    """Return the folders with what other trainings have left."""
    aside = os.path.join(directory, PREVIOUS)
    try:
        return [os.path.join(aside, name) for name in os.listdir(aside) if os.path.isdir(os.path.join(aside, name))]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UnreadableError(f"{aside} cannot be read: {error.strerror}.") from error
