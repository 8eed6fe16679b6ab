# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Differential privacy of the rounds: updates are clipped, noise is added, and what that spends is counted.

The arithmetic is that of Flower's wrappers (flwr.serverapp.strategy.DifferentialPrivacy...) where that keeps what it
promises, and a test holds both together. It differs where it does not: docs/privacy.md says in what and why.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flwr.app import Array, ArrayRecord

from .accountant import accountant
from .arrays import update_norm, view
from .dtypes import is_inexact
from .errors import RunFailedError
from .knowledge._base.jsonable import is_finite_number
from .knowledge._config.privacy import EPSILON, PRIVACY, Privacy, influence
from .knowledge._config.strategies import Strategy
from .noise import noise_for, noised, shortened
from .publish import Publisher
from .spent import RELEASES, Spent, read_releases

CLIPPING_NORM, NOISE_STDDEV = "clipping_norm", "noise_stddev"  # in manifests and in the history
_NOT_READ = "what it says of privacy cannot be read"


class Private:
    """How the rounds of a training are private, and what is known so far."""

    def __init__(self, settings: Privacy, values: Mapping[str, Any]) -> None:
        self.settings = settings
        self.clipping_norm = settings.clipping_norm  # of the next round
        self.spent = Spent(settings)
        self._values = values
        self._facts: dict[str, float] = {}  # of the newest round
        self._newest = 0  # the number of the newest round

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Private | None:
        """Return what the variables say; None where nothing is protected."""
        settings = Privacy.of(values)
        return cls(settings, values) if settings else None

    def begin(self, told_by: Publisher, manifest: Mapping[str, Any] | None, rounds_done: int) -> None:
        """Go on where the checkpoint was saved that a run goes on from."""
        said = (manifest or {}).get(PRIVACY)
        if said:
            self.clipping_norm = float(said[CLIPPING_NORM])
        self.spent.begin(told_by, said)
        self._newest = rounds_done
        if not rounds_done and self.is_over:
            raise RunFailedError(
                f"The privacy budget of this training is used up: its runs before have spent epsilon"
                f" {self.spent.epsilon:.4g} of {self.settings.epsilon_budget:g} (fl_privacy_epsilon_budget), and left"
                " no checkpoint to end with. Raise the budget, or give the training another fl_training_name."
            )

    def asks(self, number: int) -> None:
        """Count the replies that sites are about to be asked for, where they are what is released."""
        self._newest = number
        if not self.settings.is_central:
            self.spent.release(number)

    def may_ask_again(self, number: int) -> bool:
        """Tell whether a round may be asked for once more: that costs where replies are what is released."""
        return self.settings.is_central or not self.spent.exceeds_with(number)

    def clip(self, records: Sequence[ArrayRecord], model: ArrayRecord, names: Sequence[str]) -> int:
        """Shorten in each reply what is too long of its update; return how many were short enough."""
        short = 0
        for record in records:
            norm = update_norm(record, model, names)
            short += norm <= self.clipping_norm
            if norm > self.clipping_norm:
                factor = self.clipping_norm / norm
                for name in names:
                    record[name] = Array(shortened(record[name].numpy(), model[name].numpy(), factor))
        return short

    def protect(self, number: int, arrays: ArrayRecord, row: Strategy, replies: int, short: int) -> ArrayRecord:
        """Return what was made of clipped replies with noise, and count it as spent."""
        noise = noise_for(self.settings.seed, PRIVACY, number)
        multiplier, count_stddev = self.settings.noises(replies)
        deviation = multiplier * self.clipping_norm * influence(row, replies, self._values)
        made = {name: noised(array.numpy(), deviation, noise) for name, array in arrays.items()}
        self.spent.release(number)
        self._facts = {CLIPPING_NORM: self.clipping_norm, NOISE_STDDEV: deviation}
        if self.settings.is_adaptive:
            fraction = (short + count_stddev * float(noise.normal(1)[0])) / replies
            self.clipping_norm = self.settings.adapted(self.clipping_norm, fraction)
        return ArrayRecord({name: Array(values) for name, values in made.items()})

    @property
    def is_over(self) -> bool:
        """Tell whether the next round would spend more than the budget has."""
        return self.spent.exceeds_with(self._newest + 1)

    @property
    def about(self) -> dict[str, Any]:
        """What is told before the first round."""
        return {**self.settings.told, "accountant": accountant()}

    @property
    def manifest(self) -> dict[str, Any]:
        """What a checkpoint says of it."""
        return {PRIVACY: {CLIPPING_NORM: self.clipping_norm, RELEASES: self.spent.manifest}}

    def told(self, before_the_last: bool) -> dict[str, Any]:
        """What history and result say of it; whether it has ended a training before its last round."""
        epsilon, over = self.spent.epsilon, self.is_over
        return {
            PRIVACY: {
                **self.settings.told,
                **self._facts,
                EPSILON: epsilon if math.isfinite(epsilon) else None,
                RELEASES: self.spent.releases.total(),
                "over": over,
                "ended": over and before_the_last,
            }
        }


def check_privacy(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError when what a checkpoint says of privacy is not what was written."""
    said = manifest.get(PRIVACY)
    if said is None:
        return
    norm = said.get(CLIPPING_NORM) if isinstance(said, Mapping) else None
    if not is_finite_number(norm) or norm <= 0:
        raise ValueError(_NOT_READ)
    read_releases(said)


def check_model(model: Mapping[str, Array], buffers: frozenset[str]) -> None:
    """Refuse a model that holds more of the data than its parameters."""
    if running := sorted(name for name in buffers if is_inexact(view(model[name]))):
        raise RunFailedError(
            f"fl_privacy protects what is trained, and {running[0]!r} is not: buffers() in task.py names it as a"
            " running statistic, which the sites compute of their data, without noise. Take a model without such (group"
            " or layer normalization in the place of batch normalization), or set fl_privacy to none."
        )
