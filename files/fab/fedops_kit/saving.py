# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Saving that outlives its storage: a disk that fails costs checkpoints, not the training that is safe in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from flwr.app import Array
from numpy.typing import NDArray

from .checkpoints import CheckpointDirectory
from .errors import NotSavedError
from .knowledge._checkpoint.checkpoint import Checkpoint
from .mapped import size
from .publish import logger

# How long a round waits for a save: a server that is away does not answer at all, and must not hold the training.
PATIENCE = 60.0  # seconds
_SLOWEST = 2e6  # bytes a second; a large model on slow storage is no outage

# Before each further try to save the last model, when there is no training left that could go on: five minutes.
FINAL_PAUSES = (5.0, 10.0, 15.0, 30.0, 60.0, 60.0, 60.0, 60.0)


@dataclass
class _Save:
    """One save, in a thread of its own: nothing else can leave a call that the storage does not answer."""

    directory: CheckpointDirectory
    arrays: Mapping[str, Array]
    state: Mapping[str, NDArray]
    about: Mapping[str, object]
    checkpoint: Checkpoint | None = None
    error: BaseException | None = None
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        # A daemon: a run that has given up must be able to end.
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def ended(self, patience: float) -> bool:
        self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.checkpoint = self.directory.save(self.arrays, self.state, self.about)
        except BaseException as error:  # to be raised where the result is asked for
            self.error = error


class Saver:
    """Saves checkpoints. What goes wrong is told, remembered in ``problem``, and over with the next good save."""

    def __init__(self, directory: CheckpointDirectory, required: bool, checkpoint: Checkpoint | None) -> None:
        self.checkpoint = checkpoint  # the newest one that is on the storage
        self.problem: str | None = None  # why the newest try has failed
        self._directory = directory
        self._required = required
        self._running: _Save | None = None

    def save(
        self, arrays: Mapping[str, Array], state: Mapping[str, NDArray], about: Mapping[str, object]
    ) -> Checkpoint | None:
        """Return the checkpoint; None when there is a problem, which has then been told."""
        try:
            self.checkpoint = self._try(arrays, state, about)
        except NotSavedError as error:
            self.problem = str(error)
            if self._required:
                logger.warning(
                    "%s %s It is required (fl_checkpoint_required), so the run ends.", self.problem, self._last_good()
                )
                raise
            logger.warning(
                "%s %s The training goes on, and every round tries it again until a checkpoint is saved.",
                self.problem,
                self._last_good(),
            )
            return None
        if self.problem:
            logger.warning("Checkpoints are saved again: %s", self.checkpoint.path)
        self.problem = None
        return self.checkpoint

    def insist(
        self, arrays: Mapping[str, Array], state: Mapping[str, NDArray], about: Mapping[str, object]
    ) -> Checkpoint:
        """Save the last model. Without it the training is not finished, so this fails the run in the end."""
        for pause in FINAL_PAUSES:
            if saved := self.save(arrays, state, about):
                return saved
            logger.warning("All rounds are trained. The model is saved again in %g seconds.", pause)
            time.sleep(pause)
        if saved := self.save(arrays, state, about):
            return saved
        raise NotSavedError(
            f"{self.problem} All rounds are trained, but the model of the last one ends with this run."
            f" {self._last_good()} Mend the storage, then train again: it goes on from there."
        )

    def _try(
        self, arrays: Mapping[str, Array], state: Mapping[str, NDArray], about: Mapping[str, object]
    ) -> Checkpoint:
        if overdue := self._running:
            if not overdue.ended(0.1):
                raise self._no_answer(overdue)
            self._running = None
            self.checkpoint = overdue.checkpoint or self.checkpoint
            if overdue.checkpoint and overdue.about["round"] == about["round"]:
                return overdue.checkpoint
        save = _Save(self._directory, arrays, state, about)
        if not save.ended(PATIENCE + _size(arrays, state) / _SLOWEST):
            self._running = save
            raise self._no_answer(save)
        if save.error:
            raise save.error
        return cast("Checkpoint", save.checkpoint)  # what has no error has one

    def _no_answer(self, save: _Save) -> NotSavedError:
        return NotSavedError(
            f"The checkpoint of round {save.about['round']} cannot be saved in {self._directory.path}:"
            f" the storage has not answered for {time.monotonic() - save.begun:.0f} seconds."
        )

    def _last_good(self) -> str:
        if self.checkpoint is None:
            return "No checkpoint of this training is there."
        age = self.checkpoint.age(datetime.now(UTC))
        old = "of unknown age" if age is None else f"{age:.0f} seconds old"
        return f"The last good one is of round {self.checkpoint.round}, {old}."


def _size(arrays: Mapping[str, Array], state: Mapping[str, NDArray]) -> int:
    return sum(map(size, arrays.values())) + sum(array.nbytes for array in state.values())
