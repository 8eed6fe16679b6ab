# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgetting a training that has ended: its records, what its ServerApps have told, its copy of the app.

Its checkpoints stay unless they are given up as well. What the SuperLink knows of its runs stays in any case.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from contextlib import suppress

from .._base import guarded
from .._checkpoint.manifest import UnreadableError
from .._config.purposes import SMOKE
from .._flower.answers import FlwrMissingError
from .._flower.app_record import own_apps
from .._training.folder import RefusedError
from .._training.runs import known_runs
from .control import Supervising
from .kept_checkpoints import KeptCheckpoints
from .shared_directories import checkpoint_directory


class NotForgottenError(RefusedError):
    """The training goes on, or what is to go with it is not known; nothing was touched."""


def forget(supervising: Supervising, with_checkpoints: bool = False, check_mode: bool = False) -> list[str]:
    """Forget a training, and return what was removed for that: its checkpoints, and its folders.

    A second call goes on where one was interrupted: the folder that makes it a training goes last.

    :raises RefusedError: while it is running, is to go on by itself, or may have a run that nobody can be asked about.
    """
    folder = supervising.folder
    _refuse_at_work(supervising)
    places = [folder.published, own_apps(folder.home, folder.name), folder.path]
    found = [place for place in dict.fromkeys(places) if guarded.status(place) is not None]
    kept = _checkpoints(supervising, known=bool(found)) if with_checkpoints else None
    try:
        paths = kept.paths() if kept else []
        if not check_mode:
            supervising.release()
            paths = kept.remove() if kept else []
    except UnreadableError as error:
        raise NotForgottenError(f"{error} Bring the storage back, or forget it without checkpoints.") from error
    for place in found if not check_mode else ():
        guarded.remove_tree(place)
    return [*paths, *found]


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


def _checkpoints(supervising: Supervising, known: bool) -> KeptCheckpoints | None:
    """Return its checkpoints, also those that another configuration of it has put aside; None where it has none."""
    request = supervising.desk.request
    if request is None:
        if not known:
            return None  # forgotten already, and where it has saved with it
        raise NotForgottenError(
            "where its checkpoints lie is not known. Remove them by hand, and forget it without checkpoints."
        )
    directory = checkpoint_directory(request.run_config)
    name = supervising.folder.name
    return KeptCheckpoints(directory, name, whole=request.purpose == SMOKE) if directory else None
