# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differential privacy of a training: what it is asked to be, how far one site can move a model, and what is spent.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._base.jsonable import is_finite_number, is_number
from .accounting import epsilon
from .strategies import AVERAGED, MEDIAN, STRATEGIES, TRIMMED, Strategy, trimmed

PRIVACY = "privacy"  # the variable; in manifests, the history and the result
EPSILON = "epsilon"
NONE, FIXED, ADAPTIVE, LOCAL_NOISE = "none", "central_fixed", "central_adaptive", "local"
PRIVACY_KINDS = (NONE, FIXED, ADAPTIVE, LOCAL_NOISE)
CENTRAL = (FIXED, ADAPTIVE)
_TWENTIETH = 20  # of the sites: the noise of the count of those that were not clipped (Andrew et al. 2021)
# Why it is not among the kinds; docs/privacy.md has the facts.
NO_SECURE_AGGREGATION = (
    "Secure aggregation (SecAgg+) is not there: Flower has it for its former ServerApps (flwr.server.workflow) alone,"
    " and no strategy with a start() can take part in it. {privacy} adds noise instead (docs/privacy.md)."
)
# What is known of a release by anybody's data against anybody else's: two updates of length C are 2 C apart.
BETWEEN_ANY_TWO = 2.0


@dataclass(frozen=True)
class Privacy:
    """How the updates of sites are protected."""

    kind: str
    clipping_norm: float  # the longest that an update counts; where it is adapted, in the first round
    noise_multiplier: float
    target_quantile: float
    clip_lr: float
    count_stddev: float  # 0: by the number of sites
    delta: float
    epsilon_budget: float  # 0: none
    seed: int  # of noise that is no secret; 0: it is one

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Privacy | None:
        """What the variables say, by their names in the table; None where nothing is protected."""
        kind = values.get(PRIVACY)
        found: dict[str, Any] = {name[len(PRIVACY) + 1 :]: values.get(name) for name in _NAMES[1:]}
        if kind not in PRIVACY_KINDS or kind == NONE or None in found.values():
            return None
        return cls(kind=str(kind), seed=int(found.pop("seed")), **{name: float(found[name]) for name in found})

    @classmethod
    def in_run_config(cls, run_config: Mapping[str, object]) -> Privacy | None:
        """The same of a run configuration, as a file has it."""
        return cls.of({name: run_config.get(name.replace("_", "-")) for name in _NAMES})

    @property
    def told(self) -> dict[str, Any]:
        """The settings as they are published."""
        return asdict(self)

    @property
    def is_central(self) -> bool:
        """Whether the server adds the noise."""
        return self.kind in CENTRAL

    @property
    def is_adaptive(self) -> bool:
        """Whether the clipping norm follows the lengths of the updates."""
        return self.kind == ADAPTIVE

    def spent(self, releases: Mapping[float, int]) -> float:
        """The epsilon of so many releases; infinite without noise."""
        return epsilon(releases, self.delta)

    def exceeded_by(self, spent: float) -> bool:
        """Whether this epsilon is more than the budget has."""
        return bool(self.epsilon_budget) and spent > self.epsilon_budget

    def noises(self, sites: int) -> tuple[float, float]:
        """The noise multiplier of a model, and the noise of the count of sites that were not clipped.

        Where the clipping norm is adapted, both together cost what C(noise_multiplier) says. A count moves by half
        when a site comes or goes, where one that is not there counts half.
        """
        if not self.is_adaptive:
            return self.noise_multiplier, 0.0
        if not self.noise_multiplier:
            return 0.0, self.count_stddev
        count = self.count_stddev or max(sites / _TWENTIETH, self.noise_multiplier)
        return (self.noise_multiplier ** (-2) - (2 * count) ** (-2)) ** -0.5, count

    def adapted(self, norm: float, unclipped: float) -> float:
        """The clipping norm after a round in which such a fraction of the updates was not clipped (Andrew et al.)."""
        factor = math.exp(-self.clip_lr * (unclipped - self.target_quantile))
        return min(max(norm * factor, 1e-12), 1e12)


def influence(strategy: Strategy, replies: int, values: Mapping[str, Any]) -> float:
    """How far one site of so many can move what a strategy makes of them, in clipping norms.

    A mean moves by its share. Of a choice, a median or a trimmed mean only the length is bounded, so that it may move
    by twice that: what Krum chooses is one update; of a median's numbers, at least half of the updates have larger
    ones; a trimmed mean is a mean, number by number, of those that are left.
    """
    if strategy.buffers == AVERAGED:
        return 1.0 / replies
    length = 1.0
    if strategy.buffers == MEDIAN:
        length = math.sqrt(2.0)
    elif strategy.buffers == TRIMMED:
        left = replies - 2 * trimmed(replies, float(values["trim_beta"]))
        length = math.sqrt(replies / left)
    elif strategy.name == "Bulyan":
        chosen = replies - 2 * int(values["num_malicious"])
        length = math.sqrt(chosen / (chosen - 2 * int(values["num_malicious"])))
    return BETWEEN_ANY_TWO * length


def is_mean(name: str) -> bool:
    """Whether a strategy takes no more than the mean of the updates, all alike."""
    row = STRATEGIES[name]
    return row.buffers == AVERAGED and name != "QFedAvg"


def is_secure_aggregation(name: str) -> bool:
    """Whether somebody means that by a name."""
    plain = re.sub("[^a-z]", "", name.lower()[:64])
    return "secagg" in plain or "secureagg" in plain


def has_spent(result: Mapping[str, Any], wanted: Privacy | None) -> bool:
    """Tell whether a result is of a training whose budget, of just these settings, is used up."""
    return wanted is not None and is_over_by(result.get(PRIVACY), wanted.told)


def is_over_by(said: object, settings: Mapping[str, Any]) -> bool:
    """Tell whether what a result says of an end before the last round is that these settings have brought it."""
    if not isinstance(said, Mapping) or said.get("over") is not True:
        return False
    return all(said.get(name) == value for name, value in settings.items())


def privacy_end(event: Mapping[str, Any]) -> str:
    """Say of the last round, or the result, of a training that its budget has ended it; nothing where it has not."""
    said = event.get(PRIVACY)
    if not isinstance(said, Mapping) or said.get("ended") is not True:
        return ""
    number = event.get("rounds", event.get("round"))
    return f"stopped after round {number}, as one more would exceed the privacy budget: {spent_text(event)}"


def epsilon_of(event: Mapping[str, Any]) -> float | None:
    """The epsilon that a round, or a result, tells; None where it tells none."""
    said = event.get(PRIVACY)
    found = said.get(EPSILON) if isinstance(said, Mapping) else None
    return float(found) if is_finite_number(found) else None


def spent_text(event: Mapping[str, Any]) -> str:
    """Say of a round, or a result, what its training has spent; nothing where it protects nothing."""
    said = event.get(PRIVACY)
    if not isinstance(said, Mapping):
        return ""
    kind, budget, delta = said.get("kind"), said.get("epsilon_budget"), said.get("delta")
    epsilon_spent = epsilon_of(event)
    if epsilon_spent is None:
        return f"no epsilon ({kind}): there is no noise"
    of = f" of {budget:g}" if is_number(budget) and budget else ""
    at = f", delta {delta:g}" if is_number(delta) else ""
    seeded = "; NOT PRIVATE: the noise has a seed (fl_privacy_seed)" if said.get("seed") else ""
    return f"epsilon {epsilon_spent:.4g}{of} is spent ({kind}{at}{seeded})"


_NAMES = (PRIVACY, *(f"{PRIVACY}_{name}" for name in Privacy.__dataclass_fields__ if name != "kind"))
