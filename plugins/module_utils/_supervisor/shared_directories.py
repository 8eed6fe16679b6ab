# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a training's checkpoints, and who else would save there.

Each training has one of its own, unless somebody gives two the same, or one has begun where the default one saves when
all did. A ServerApp that begins moves what is not its own training's, so two that go on by themselves share none.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from .._base.notation import values_of
from .._checkpoint.trainings import DEFAULT_TRAINING, directory_of
from .._config.kit import told
from .._training.folder import REQUEST_FILE, RefusedError, TrainingFolder
from .._training.follow import other_trainings
from .desk import Desk
from .endings import ENDED
from .memory import Memory


class DirectorySharedError(RefusedError):
    """Another training that goes on by itself keeps its checkpoints in the same directory."""


@dataclass(frozen=True)
class Tenant:
    """A supervised training that goes on by itself."""

    folder: TrainingFolder
    directory: str

    @property
    def order(self) -> tuple[bool, float, str]:
        """Return what says whose the directory is: who has trained there comes first, then who was asked earlier."""
        memory, effective = Desk(self.folder).memory or Memory(), self.folder.effective or {}
        trains = memory.began or bool(memory.runs and memory.run_id and effective.get("run_id") == memory.run_id)
        return not trains, _written(os.path.join(self.folder.path, REQUEST_FILE)), self.folder.name


def checkpoint_directory(run_config: str) -> str | None:
    """Return where a training keeps its checkpoints; None where it keeps none, or its app does as it likes."""
    return place_in(values_of(run_config))


def place_in(values: t.Mapping[str, t.Any]) -> str | None:
    """Return the same from the values of a run configuration."""
    path, name = told(values, "checkpoint_path"), told(values, "training_name")
    if told(values, "checkpoint_enabled") is not True or not isinstance(path, str):
        return None
    return directory_of(os.path.realpath(path), name if isinstance(name, str) else DEFAULT_TRAINING)


def others_there(folder: TrainingFolder, run_config: str) -> list[Tenant]:
    """Return the other supervised trainings that are not finished and save into the directory of this one."""
    directory = checkpoint_directory(run_config)
    if directory is None:
        return []
    return [Tenant(other, directory) for other in other_trainings(folder) if _goes_on(Desk(other), directory)]


def refuse_shared(folder: TrainingFolder, run_config: str) -> None:
    """Refuse a training that would save where another one does that goes on by itself."""
    if others := others_there(folder, run_config):
        raise DirectorySharedError(shared_text(others))


def taken_by(folder: TrainingFolder, run_config: str) -> list[Tenant]:
    """Return the others whose the directory is, of trainings that were begun before anybody saw that they share one."""
    others = others_there(folder, run_config)
    return [other for other in others if other.order < Tenant(folder, other.directory).order]


def shared_text(others: t.Sequence[Tenant]) -> str:
    """Say what is wrong, and what to do."""
    names = ", ".join(other.folder.name for other in others)
    return (
        f"fl_checkpoint_path is {others[0].directory}, where the training {names} saves, which is not finished."
        " Two that share a directory put each other's checkpoints aside. Give each training a fl_checkpoint_path of its"
        f" own, or wait for the end of {names}, or stop it (playbook fedops.flower.stop)."
    )


def _goes_on(desk: Desk, directory: str) -> bool:
    request, memory = desk.request, desk.memory
    if request is None or desk.is_stopped or checkpoint_directory(request.run_config) != directory:
        return False
    # One that its supervisor has not begun with is to go on, too.
    return memory is None or memory.request_id != request.request_id or memory.state not in ENDED


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
