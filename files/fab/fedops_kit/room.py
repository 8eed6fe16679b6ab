# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The room that the host of the ServerApp really has, for a model whose size is known by now."""

from __future__ import annotations

from .checkpoints import CheckpointDirectory
from .knowledge._checkpoint import directory as layout
from .knowledge._config.sizing import Room, physical_memory
from .resume import Beginning


def room(beginning: Beginning, directory: CheckpointDirectory | None) -> Room:
    """Return it in bytes. What the directory holds by now is of this training, and makes way for newer checkpoints."""
    model = sum(len(array.data) for array in beginning.arrays.values())
    return Room(model, physical_memory(), _storage(directory.path) if directory else None)


def _storage(path: str) -> int | None:
    try:
        return layout.room(path, layout.list_checkpoints(path))
    except OSError:  # what is wrong with the storage is told by the first save, which knows what to do then
        return None
