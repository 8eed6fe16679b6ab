# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of each round: evaluate, save a checkpoint when one is due, tell the world."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from flwr.app import ArrayRecord, MetricRecord

from . import strategies
from .checkpoints import CheckpointDirectory
from .exact import ExactStrategy
from .knowledge._checkpoints import Checkpoint
from .publish import Publisher, finite

Metrics = Mapping[str, float]


@dataclass
class RoundKeeper:
    """What Flower calls an evaluate function: it runs after every round, even after one that aggregated nothing."""

    strategy: ExactStrategy
    publisher: Publisher
    directory: CheckpointDirectory | None  # None: checkpoints are off
    interval: int
    num_rounds: int
    about: Mapping[str, object]  # what every manifest says of this training
    evaluate_centrally: Callable[[ArrayRecord], Metrics | None]
    checkpoint: Checkpoint | None = None  # the newest one, also of before a resume
    last: dict[str, object] = field(default_factory=dict)  # loss and accuracy of the newest model
    _unsaved: tuple[ArrayRecord, dict[str, object]] | None = None

    def __call__(self, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
        """Finish a round. Round 0 is Flower's look at the initial model, which is not ours to keep."""
        if server_round == 0:
            return None
        finished = self.strategy.round
        central = self.evaluate_centrally(arrays)
        facts = _figures(central, finished.metrics, finished.num_examples)
        saved = None
        if finished.aggregated:
            self.last = {"loss": facts["loss"], "accuracy": facts["accuracy"]}
            self._unsaved = (arrays, {"round": finished.number, **self.last})
            if finished.number % self.interval == 0 or finished.number == self.num_rounds:
                saved = self._save()
        self.publisher.round_finished(
            {
                "round": finished.number,
                "num_rounds": self.num_rounds,
                "aggregated": finished.aggregated,
                **facts,
                "metrics": {**finished.train_metrics, **facts["metrics"]},
                "replies": finished.replies,
                "failures": finished.failures,
                "rejected": [asdict(rejection) for rejection in finished.rejected],
                "seconds": round(time.monotonic() - finished.started, 3),
                "checkpoint": saved.file if saved else None,
            }
        )
        return MetricRecord(dict(central)) if central else None

    def finish(self) -> None:
        """Save the model of the last round that made progress, where rounds after it were skipped."""
        self._save()

    def _save(self) -> Checkpoint | None:
        if self.directory is None or self._unsaved is None:
            return None
        arrays, facts = self._unsaved
        state = strategies.capture(self.strategy.strategy)
        self.checkpoint = self.directory.save(arrays, state, {**self.about, **facts})
        self._unsaved = None
        return self.checkpoint


def _figures(central: Metrics | None, federated: Metrics, num_examples: int) -> dict[str, object]:
    """Loss and accuracy come from the server's own test set where it has one, else from the nodes."""
    chosen = dict(central if central is not None else federated)
    others = {f"federated_{name}": value for name, value in federated.items()} if central is not None else {}
    return {
        "loss": finite(chosen.pop("loss", None)),
        "accuracy": finite(chosen.pop("accuracy", None)),
        "num_examples": int(chosen.pop("num-examples", num_examples)) or None,
        "metrics": {**others, **chosen},
    }
