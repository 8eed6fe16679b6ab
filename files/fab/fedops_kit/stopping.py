# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Early stopping: each round's figure is compared, and the round after which there are no more is found.

What is known so far is in every checkpoint, so that a run that resumes stops in the same round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .knowledge._base.jsonable import is_number
from .knowledge._checkpoint.checkpoint import EARLY_STOPPING
from .knowledge._config.stopping import Stopping, Waited
from .publish import logger

# As apps call them that do not call them loss and accuracy.
LOSSES = ("eval_loss", "test_loss", "val_loss", "eval-loss", "test-loss", "test_logloss", "log_loss", "mse")
ACCURACIES = ("eval_acc", "eval_accuracy", "test_acc", "test_accuracy", "val_accuracy", "eval-acc", "eval-accuracy")
SPELLINGS: Mapping[str, tuple[str, ...]] = {"loss": ("loss", *LOSSES), "accuracy": ("accuracy", *ACCURACIES)}

CENTRAL, OF_SITES, OF_TRAINING = "central", "sites", "training"  # who has measured a model


class EndedEarly(BaseException):
    """No further round is trained. No failure: an app's own handler of exceptions is not to take it for one."""


@dataclass
class EarlyStopping:
    """What ends a training early, and what is known so far."""

    settings: Stopping | None  # None: nothing does
    waited: Waited = field(default_factory=Waited)

    @classmethod
    def begin(cls, values: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> EarlyStopping:
        """Go on where the checkpoint was saved that a run goes on from; begin anew where it counted by other rules."""
        settings, said = Stopping.of(values), (manifest or {}).get(EARLY_STOPPING)
        if settings is None or not isinstance(said, Mapping) or not settings.counts_like(said):
            return cls(settings)
        return cls(settings, Waited.of(said))

    @property
    def is_over(self) -> bool:
        """Tell whether no further round is to be trained."""
        return self.settings is not None and self.settings.is_over(self.waited)

    def improves(self, number: int, measured: Mapping[str, Mapping[str, Any] | None]) -> bool:
        """Take note of a round that has made a new model; tell whether that is the best one so far.

        ``measured`` are the metrics of the model by who has measured them. The first that has the metric stays the one:
        numbers of two test sets do not compare.
        """
        if self.settings is None:
            return False
        metric = self.settings.metric
        found = {who: value for who, metrics in measured.items() if (value := _value(metric, who, metrics)) is not None}
        source = self.waited.source or next(iter(found), "")
        if source not in found:
            logger.warning(
                "Round %d: nobody has measured %r, by which a better model is told (fl_early_stopping_metric): it does"
                " not count for early stopping.%s",
                number,
                metric,
                f" It was measured by {source} before." if source else "",
            )
            return False
        self.waited = self.settings.after(replace(self.waited, source=source), number, found[source])
        return self.waited.best_round == number

    @property
    def manifest(self) -> dict[str, Any]:
        """What a checkpoint says of it; nothing where it is off."""
        return {EARLY_STOPPING: {**self.settings.told, **asdict(self.waited)}} if self.settings else {}

    def told(self, before_the_last: bool) -> dict[str, Any]:
        """What history and result say of it; whether it has ended a training before its last round."""
        if not self.settings:
            return {}
        over = self.is_over
        return {EARLY_STOPPING: {**self.manifest[EARLY_STOPPING], "over": over, "ended": over and before_the_last}}


def check_stopping(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError when what a checkpoint says of early stopping is not what was written."""
    said = manifest.get(EARLY_STOPPING, {})
    if not isinstance(said, Mapping):
        raise ValueError("what it says of early stopping cannot be read")
    if said:
        Waited.of(said)


def _value(metric: str, who: str, metrics: Mapping[str, Any] | None) -> float | None:
    """Return a metric of one who has measured; the loss of a training is that of the model before it."""
    if metrics is None or (who == OF_TRAINING and metric in SPELLINGS):
        return None
    value = figure(metric, metrics)
    return float(value) if is_number(value) else None


def figure(metric: str, metrics: Mapping[str, Any]) -> Any:
    """Return a metric, by whichever of its names the app has given it; None where there is none."""
    return next((metrics[name] for name in SPELLINGS.get(metric, (metric,)) if name in metrics), None)
