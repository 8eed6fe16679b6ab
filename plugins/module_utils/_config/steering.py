# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a training is steered from round to round: the rates that a round has, and what its outcome makes of the next.

Pure functions of the settings, the round and what is known of those before it, which goes into every checkpoint.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .._base.jsonable import is_finite_number, is_whole
from .schedules import Plateau, Schedule
from .strategies import STRATEGIES

STEERING = "steering"  # in manifests and in the history
LOWER, ROLL_BACK = "lower", "rollback"  # what a spike leads to
SPIKE_ACTIONS = (LOWER, ROLL_BACK)
LOWERED = 0.5  # times the client learning rate after a spike
LEAST_LOSSES = 3  # that a median needs
LEAST_SITES = 3
MU_STEP, MU_RANGE = 2.0, 10.0  # by which mu changes at most in a round, and in all

# The rates, by the variable that each begins with.
RATES: Mapping[str, str] = {"client_lr": "lr_schedule", "server_lr": "server_lr_schedule", "proximal_mu": "mu_schedule"}


_ALONE = ("spike_factor", "spike_window", "spike_action", "site_boost", "mu_drift")


@dataclass(frozen=True)
class Steered:
    """What is known after a round."""

    plateaus: Mapping[str, Plateau] = field(default_factory=dict)  # by rate
    losses: tuple[float, ...] = ()  # of the last rounds that were no spikes
    spikes: int = 0
    mu_factor: float = 1.0
    sites: Mapping[str, float] = field(default_factory=dict)  # by which factor the rate of a site is higher

    @property
    def said(self) -> dict[str, Any]:
        """The same as JSON has it."""
        plateaus = {name: asdict(plateau) for name, plateau in self.plateaus.items()}
        return {**asdict(self), "plateaus": plateaus, "losses": list(self.losses), "sites": dict(self.sites)}

    @classmethod
    def of(cls, said: Any) -> Steered:
        """Read it back.

        :raises ValueError: when it is not what was written.
        """
        try:
            plateaus = {str(name): Plateau(**plateau) for name, plateau in said["plateaus"].items()}
            found = cls(plateaus, tuple(said["losses"]), said["spikes"], said["mu_factor"], dict(said["sites"]))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("what it says of steering cannot be read") from error
        numbers = [*found.losses, found.mu_factor, *found.sites.values()]
        counts = [found.spikes]
        for plateau in plateaus.values():
            numbers += [value for value in (plateau.rate, plateau.best) if value is not None]
            counts += [plateau.bad, plateau.cooldown]
        if not all(map(is_finite_number, numbers)) or not all(is_whole(count) and count >= 0 for count in counts):
            raise ValueError("what it says of steering cannot be read")
        return found


@dataclass(frozen=True)
class RoundOutcome:
    """What a round has come to."""

    loss: float | None = None  # None: nobody has measured it
    sites: Mapping[str, float] = field(default_factory=dict)  # the loss of each site that has told one
    drift: float | None = None  # how much farther the sites went on the average than the model as a whole


@dataclass(frozen=True)
class Steering:
    """How a training is steered."""

    bases: Mapping[str, float]  # the rates that it begins with
    schedules: Mapping[str, Schedule]  # by rate; those that are constant are left out
    spike_factor: float = 0.0  # 0: no loss is a spike
    spike_window: int = 5
    spike_action: str = LOWER
    site_boost: float = 1.0  # 1: no site has a higher rate
    mu_drift: float = 0.0  # 0: mu does not depend on the drift

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Steering | None:
        """What the variables say, by their names in the table; None where nothing is steered."""
        strategy = STRATEGIES.get(str(values.get("strategy")))
        if strategy is None:
            return None  # an app of one's own
        takes = {"client_lr", *strategy.parameters.values()}
        schedules = {
            rate: schedule
            for rate, name in RATES.items()
            if rate in takes and not (schedule := Schedule.of(values[name])).is_constant
        }
        found = cls(
            {rate: float(values[rate]) for rate in RATES if rate in takes},
            schedules,
            float(values["spike_factor"]),
            int(values["spike_window"]),
            str(values["spike_action"]),
            float(values["site_boost"]),
            float(values["mu_drift"]) if "proximal_mu" in takes else 0.0,
        )
        return found if schedules or found.spike_factor or found.site_boost > 1 or found.mu_drift else None

    @property
    def told(self) -> dict[str, Any]:
        """The settings as they are published."""
        others = {name: getattr(self, name) for name in _ALONE}
        return {**others, "schedules": {rate: schedule.text for rate, schedule in self.schedules.items()}}

    def rates(self, number: int, known: Steered) -> dict[str, float]:
        """The rates of a round."""
        found = dict(self.bases)
        for rate, schedule in self.schedules.items():
            found[rate] = schedule.rate(self.bases[rate], number, known.plateaus.get(rate, Plateau()))
        if self.spike_action == LOWER:
            found["client_lr"] *= LOWERED**known.spikes
        if "proximal_mu" in found:
            found["proximal_mu"] *= known.mu_factor
        return found

    def is_spike(self, known: Steered, loss: float | None) -> bool:
        """Tell whether a loss is far above those before it; one that is no number is."""
        if not self.spike_factor or loss is None or len(known.losses) < LEAST_LOSSES:
            return False
        return not math.isfinite(loss) or loss > self.spike_factor * statistics.median(known.losses)

    def after(self, known: Steered, number: int, outcome: RoundOutcome) -> Steered:
        """What is known after a round that has made a new model."""
        spike = self.is_spike(known, outcome.loss)
        found = replace(known, spikes=known.spikes + spike)
        if outcome.loss is not None:
            found = replace(found, plateaus={
                rate: schedule.after(self.bases[rate], number, outcome.loss, known.plateaus.get(rate, Plateau()))
                for rate, schedule in self.schedules.items() if schedule.looks_at_losses
            })  # fmt: skip
        if self.spike_factor and not spike and outcome.loss is not None and math.isfinite(outcome.loss):
            found = replace(found, losses=(*known.losses, outcome.loss)[-self.spike_window :])
        if self.mu_drift and outcome.drift is not None and math.isfinite(outcome.drift):
            step = min(max(outcome.drift / self.mu_drift, 1 / MU_STEP), MU_STEP)
            found = replace(found, mu_factor=min(max(known.mu_factor * step, 1 / MU_RANGE), MU_RANGE))
        if self.site_boost > 1:
            found = replace(found, sites=self._boosted(outcome.sites))
        return found

    def _boosted(self, losses: Mapping[str, float]) -> dict[str, float]:
        known = {site: loss for site, loss in losses.items() if math.isfinite(loss) and loss > 0}
        if len(known) < LEAST_SITES:
            return {}
        middle = statistics.median(known.values())
        return {site: min(loss / middle, self.site_boost) for site, loss in sorted(known.items()) if loss > middle}
