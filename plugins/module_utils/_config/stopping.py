# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Early stopping: after so many rounds without a better model a training is at its end.

Pure arithmetic of the settings and the figures of the rounds. The ServerApp decides by it, and the host tells by it
whether a training that has stopped is what is asked for.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .._base.jsonable import is_finite_number, is_number, is_whole
from .._checkpoint.checkpoint import EARLY_STOPPING
from .kit import told
from .privacy import is_over_by, privacy_end

MINIMIZE, MAXIMIZE, BY_NAME_OF_METRIC = "min", "max", "auto"
STOPPING_MODES = (BY_NAME_OF_METRIC, MINIMIZE, MAXIMIZE)
_HIGHER_IS_BETTER = re.compile(
    r"(?:^|[^a-z])(?:acc|accuracy|auc|auroc|f1|f|precision|recall|iou|miou|dice|bleu|rouge|map|r2|score|reward"
    r"|success|sensitivity|specificity)(?:[^a-z]|$)"
)


@dataclass(frozen=True)
class Stopping:
    """What ends a training early."""

    patience: int  # rounds
    min_delta: float
    metric: str
    mode: str
    warmup_rounds: int

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Stopping | None:
        """What the variables say, by their names in the table; None where nothing ends a training early."""
        found: list[Any] = [values.get(f"{EARLY_STOPPING}_{name}") for name in cls.__dataclass_fields__]
        if None in found or not found[0]:
            return None
        patience, min_delta, metric, mode, warmup_rounds = found
        return cls(int(patience), float(min_delta), str(metric), str(mode), int(warmup_rounds))

    @classmethod
    def in_run_config(cls, run_config: Mapping[str, object]) -> Stopping | None:
        """The same of a run configuration, of our own app or of one that has the kit."""
        names = (f"{EARLY_STOPPING}_{name}" for name in cls.__dataclass_fields__)
        return cls.of({name: told(run_config, name) for name in names})

    @property
    def told(self) -> dict[str, Any]:
        """The settings as they are published."""
        return asdict(self)

    @property
    def is_better_higher(self) -> bool:
        """Whether a larger value is the better one."""
        if self.mode == BY_NAME_OF_METRIC:
            return bool(_HIGHER_IS_BETTER.search(self.metric.lower()))
        return self.mode == MAXIMIZE

    def after(self, waited: Waited, number: int, value: float) -> Waited:
        """What is known after a round that has made a new model with this value of the metric.

        The rounds of the warm-up are not looked at. A value that is no finite number is no better one.
        """
        if number <= self.warmup_rounds:
            return waited
        if math.isfinite(value) and (waited.best is None or self._is_better(value, waited.best)):
            return replace(waited, best=value, best_round=number, rounds=0)
        return replace(waited, rounds=waited.rounds + 1)

    def _is_better(self, value: float, best: float) -> bool:
        return value > best + self.min_delta if self.is_better_higher else value < best - self.min_delta

    def is_over(self, waited: Waited) -> bool:
        """Whether no further round is to be trained."""
        return waited.rounds >= self.patience

    def counts_like(self, said: Mapping[str, Any]) -> bool:
        """Whether rounds were counted by the same rules, of which the patience is none."""
        return all(said.get(name) == value for name, value in self.told.items() if name != "patience")


@dataclass(frozen=True)
class Waited:
    """What is known after a round, and goes into its checkpoint."""

    best: float | None = None  # None: there was no finite value yet
    best_round: int = 0
    rounds: int = 0  # since then
    source: str = ""  # who has measured it: the first source that had the metric stays the one

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Waited:
        """Read it back.

        :raises ValueError: when it is not what was written.
        """
        found = cls(*(said.get(name) for name in cls.__dataclass_fields__))  # type: ignore[arg-type]  # looked at below
        sound = (
            (found.best is None or is_finite_number(found.best))
            and all(is_whole(number) and number >= 0 for number in (found.best_round, found.rounds))
            and isinstance(found.source, str)
        )
        if not sound:
            raise ValueError("what it says of early stopping cannot be read")
        return found


def has_stopped(result: Mapping[str, Any], wanted: Stopping | None) -> bool:
    """Tell whether a result is of a training that was ended by just these settings."""
    return wanted is not None and is_over_by(result.get(EARLY_STOPPING), wanted.told)


def stopping_text(event: Mapping[str, Any]) -> str:
    """Say of the last round, or the result, of a training what has ended it early; nothing where it was not."""
    said = event.get(EARLY_STOPPING)
    if not isinstance(said, Mapping) or said.get("ended") is not True:
        return privacy_end(event)
    number, best = event.get("rounds", event.get("round")), said.get("best_round")
    where = f"best was round {best}" if best else "no round had a finite value"
    value = f" ({said.get('metric')} {said['best']:.4g})" if best and is_number(said.get("best")) else ""
    return f"stopped early at round {number}, {where}{value}"
