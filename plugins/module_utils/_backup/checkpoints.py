# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading checkpoints for a backup while a training saves and removes them, and bringing them back.

On the host all of it is done as the service account: a server of NFS may show root nothing. This file is private to
the collection and may change at any time.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import typing as t
from contextlib import suppress

from .._base.identity import as_checkpoint_owner, checkpoint_owner
from .._checkpoint.checkpoint import Checkpoint
from .._checkpoint.directory import inspect, list_rounds
from .._checkpoint.manifest import CheckpointError, UnreadableError
from .._checkpoint.names import arrays_name, manifest_name
from .._checkpoint.trainings import directories, has_folder
from .._checkpoint.verification import verify
from .._config.code import GOES_ON
from .._mirror.fetch import Fetcher
from .._storage.backends import StorageError, unmounted_problem
from .._storage.ground import Ground
from .._storage.mount_guard import is_guarded
from .._supervisor.shared_directories import place_in
from .._training.folder import TrainingFolder
from .._training.follow import training_names

PIECE = 32 << 20  # bytes of a file that travel at once, so that no model has to fit into memory
LATEST = "/checkpoint_latest."
HELD = ".held"  # in the directory of a training: links to what is being read
GONE_ERRORS = (errno.ENOENT, errno.ESTALE)  # the latter is NFS's word for it


def inspect_kept(path: str) -> tuple[dict[str, tuple[Checkpoint, ...]], list[str]]:
    """Verify the checkpoints of all trainings as the account; return them by folder, and what is wrong.

    That the storage is not mounted is wrong, too.
    """
    with suppress(OSError):
        if is_guarded(path):
            return {}, [unmounted_problem(path)]
    with as_checkpoint_owner():
        found = {folder: inspect(directory) for folder, directory in directories(path).items()}
    # The link to the latest is of the host, and is made anew.
    problems = [one for inspection in found.values() for one in inspection.problems if LATEST not in one]
    return {folder: inspection.checkpoints for folder, inspection in found.items()}, problems


def place_of(path: str, folder: str) -> str:
    """Return the directory of a folder, which may come from elsewhere."""
    if folder and not has_folder(folder):
        raise CheckpointError(f"{folder!r} is no folder of a training.")
    return os.path.join(path, folder) if folder else path


def elsewhere(home: str, directory: str) -> list[str]:
    """Say which trainings save to another directory than the one that is kept."""
    # Not as the account of the checkpoints, which cannot read what is asked of trainings.
    configs = {name: _config_of(TrainingFolder(home, name)) for name in training_names(home)}
    with as_checkpoint_owner():
        places = {name: place_in(config) for name, config in configs.items()}
        here = os.path.realpath(directory)
    return [
        f"The training {name} saves to {place}. Make a backup with fl_checkpoint_path={place} and a backup_directory"
        " of its own."
        for name, place in places.items()
        if place is not None and here not in (place, os.path.dirname(place))
    ]


def hold(path: str, found: t.Mapping[str, t.Sequence[Checkpoint]]) -> None:
    """Keep the newest checkpoint of each training while it travels, by links in place of those to earlier ones.

    Storage that takes no link, or has no room for one, is read as it is: then retention may be faster.
    """
    let_go(path)
    with as_checkpoint_owner():
        for folder, checkpoints in found.items():
            for one in checkpoints[-1:]:
                held = os.path.join(place_of(path, folder), HELD)
                with suppress(OSError):
                    os.mkdir(held, 0o700)
                    for name in (arrays_name(one.round), manifest_name(one.round)):
                        os.link(os.path.join(place_of(path, folder), name), os.path.join(held, name))


def let_go(path: str) -> None:
    """Remove the links that a backup has made, also one that was cut short."""
    with as_checkpoint_owner():
        for directory in directories(path).values():
            shutil.rmtree(os.path.join(directory, HELD), ignore_errors=True)


def read(directory: str, name: str, offset: int) -> bytes | None:
    """Return the next piece of a file, empty at its end; None: retention has removed the file meanwhile."""
    for place in (os.path.join(directory, HELD), directory):
        piece = _piece_of(os.path.join(place, os.path.basename(name)), offset)
        if piece is not None:
            return piece
    return None


def _piece_of(path: str, offset: int) -> bytes | None:
    try:
        with as_checkpoint_owner():
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise CheckpointError(f"{path} is not a regular file.")
                stream.seek(offset)
                return stream.read(PIECE)
    except OSError as error:
        if error.errno in GONE_ERRORS:
            return None
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error


def bring_back(staged: str, number: int, path: str, folder: str, home: str) -> Checkpoint:
    """Move a checkpoint into a folder as the account: verified there, and the manifest last."""
    directory = place_of(path, folder)
    checkpoint = verify(os.path.join(staged, arrays_name(number)))
    which = checkpoint.training, checkpoint.configuration_hash
    fetcher = Fetcher(directory, *which, _Folder(staged, checkpoint), None, False, checkpoint.code_began, GOES_ON)
    try:
        _make(path, home)
        with as_checkpoint_owner():
            os.makedirs(directory, 0o750, exist_ok=True)
        brought = fetcher.fetch()
    except OSError as error:
        raise CheckpointError(
            f"{directory} does not take {checkpoint.file}: {error.strerror}. Deploy the host first (playbook"
            " fedops.flower.site), which proves that the account can save there."
        ) from error
    finally:
        for name in (arrays_name(number), manifest_name(number)):
            os.unlink(os.path.join(staged, name))
    if brought is None:
        raise CheckpointError(f"{checkpoint.file} has not arrived whole in {directory}. {' '.join(fetcher.problems)}")
    return brought


def forget_halves(path: str) -> dict[str, list[Checkpoint]]:
    """Remove what is not whole in a backup, which is what one that was cut short leaves; return what is, by folder."""
    return {folder: _forget_halves(directory) for folder, directory in directories(path).items()}


def _forget_halves(directory: str) -> list[Checkpoint]:
    whole = []
    for number in list_rounds(directory):
        try:
            whole.append(verify(os.path.join(directory, arrays_name(number))))
        except UnreadableError:
            raise
        except CheckpointError:
            for name in (manifest_name(number), arrays_name(number)):
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(directory, name))
    return whole


def keep(arriving: str, number: int, directory: str) -> None:
    """Verify a checkpoint that has arrived and give it its place in the backup, the manifest last."""
    verify(os.path.join(arriving, arrays_name(number)))
    os.makedirs(directory, 0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, manifest_name(number)))  # of an older one of this round
    for name in (arrays_name(number), manifest_name(number)):
        os.replace(os.path.join(arriving, name), os.path.join(directory, name))


def _config_of(folder: TrainingFolder) -> dict[str, t.Any]:
    """Return what the latest run of a training was run with; nothing where it told nothing."""
    config = (folder.effective or {}).get("run_config")
    return config if isinstance(config, dict) else {}


def _make(directory: str, home: str) -> None:
    """Make a directory that is not there, which a host has that keeps no checkpoints."""
    account = checkpoint_owner()
    with as_checkpoint_owner():
        if os.path.isdir(directory):
            return
    if account is None:
        os.makedirs(directory, 0o750)
        return
    try:
        Ground(directory, account.pw_uid, account.pw_gid, home).have(0o750)
    except StorageError as error:
        raise CheckpointError(str(error)) from error


class _Folder:
    """A folder with one checkpoint, in the place of a mirror."""

    def __init__(self, path: str, checkpoint: Checkpoint) -> None:
        self._path, self._checkpoint = path, checkpoint

    def list(self) -> dict[str, dict[str, int]]:
        names = (self._checkpoint.file, manifest_name(self._checkpoint.round))
        return {self._checkpoint.label: {name: os.path.getsize(os.path.join(self._path, name)) for name in names}}

    def download(self, folder: str, name: str, target: t.IO[bytes], limit: int) -> None:
        with open(os.path.join(self._path, name), "rb") as source:
            shutil.copyfileobj(source, target)
