# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting a training that has ended: its records, what its ServerApps have told, its copy of the app.

Its checkpoints stay unless they are given up as well. What the SuperLink knows of its runs stays in any case.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import suppress

from .._base import guarded, identity
from .._checkpoint.directory import list_checkpoints, put_aside
from .._checkpoint.lock import LOCK
from .._checkpoint.manifest import UnreadableError
from .._checkpoint.names import BEST_ARRAYS, BEST_MANIFEST, LATEST_ARRAYS, LATEST_MANIFEST, manifest_name
from .._flower.answers import FlwrMissingError
from .._flower.app_record import own_apps
from .._training.folder import RefusedError, TrainingFolder
from .._training.runs import known_runs
from .control import Supervising
from .shared_directories import checkpoint_directory


class NotForgottenError(RefusedError):
    """The training goes on, or what is to go with it is not known; nothing was touched."""


def forget(supervising: Supervising, with_checkpoints: bool = False, check_mode: bool = False) -> list[str]:
    """Forget a training, and return what was removed for that: its folders, and files of checkpoints.

    A second call goes on where one was interrupted: the folder that makes it a training goes last.

    :raises RefusedError: while it is running, is to go on by itself, or may have a run that nobody can be asked about.
    """
    folder = supervising.folder
    _refuse_at_work(supervising)
    places = [folder.published, own_apps(folder.home, folder.name), folder.path]
    found = [place for place in dict.fromkeys(places) if guarded.status(place) is not None]
    files = _checkpoints(supervising, known=bool(found)) if with_checkpoints else []
    if not check_mode:
        supervising.release()
        with identity.as_checkpoint_owner():
            for path in files:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            for directory in {os.path.dirname(path) for path in files}:
                _remove_own(directory, folder.name)
        for place in found:
            guarded.remove_tree(place)
    return [*files, *found]


def _remove_own(directory: str, training: str) -> None:
    """Remove the folder of a training where nothing but its lock is left in it."""
    with suppress(OSError):
        if os.path.basename(directory) == training and os.listdir(directory) == [LOCK]:
            os.unlink(os.path.join(directory, LOCK))
            os.rmdir(directory)


def _refuse_at_work(supervising: Supervising) -> None:
    folder = supervising.folder
    stop = "Stop it first (playbook fedops.flower.stop)."
    if supervising.unit.lives:
        raise NotForgottenError(f"it is not forgotten while its supervisor runs. {stop}")
    if supervising.goes_on:
        raise NotForgottenError(f"it is not forgotten while it is to go on by itself. {stop}")
    if folder.ledger:
        with suppress(FlwrMissingError):  # where nothing is deployed, nothing runs
            if alive := [run.run_id for run in known_runs(folder, supervising.flwr.runs()) if run.alive]:
                raise NotForgottenError(f"it is not forgotten while its run {alive[-1]} is alive. {stop}")


def _checkpoints(supervising: Supervising, known: bool) -> list[str]:
    """Return the files of its checkpoints, also of those that another configuration of it has put aside."""
    request, folder = supervising.desk.request, supervising.folder
    if request is None:
        if not known:
            return []  # forgotten already, and where it has saved with it
        raise NotForgottenError(
            "where its checkpoints lie is not known. Remove them by hand, and forget it without checkpoints."
        )
    directory = checkpoint_directory(request.run_config)
    if directory is None:
        return []
    with identity.as_checkpoint_owner():
        try:
            places = [directory, *put_aside(directory)]
            return [path for place in places for path in _files_of(place, folder)]
        except UnreadableError as error:
            raise NotForgottenError(f"{error} Bring the storage back, or forget it without checkpoints.") from error


def _files_of(directory: str, folder: TrainingFolder) -> list[str]:
    """Return the files of one directory, links first. What another training has there, or nobody can read, stays."""
    own = [found for found in list_checkpoints(directory, strict=True) if found.training == folder.name]
    arrays = {checkpoint.file for checkpoint in own}
    names: list[str] = []
    for link, manifest in ((LATEST_ARRAYS, LATEST_MANIFEST), (BEST_ARRAYS, BEST_MANIFEST)):
        with suppress(OSError):
            if os.readlink(os.path.join(directory, link)) in arrays:
                names += [link, manifest]
    for checkpoint in own:
        names += [checkpoint.file, manifest_name(checkpoint.round)]  # by the manifest it is found again: that goes last
    paths: t.Iterable[str] = (os.path.join(directory, name) for name in names)
    return [path for path in paths if os.path.lexists(path)]
