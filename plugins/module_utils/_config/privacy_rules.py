# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the variables of differential privacy, together and beside others.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterator

from .._base.notation import counted
from .accounting import least_noise, rounds_within
from .privacy import LOCAL_NOISE, Privacy, is_mean
from .schedules import Schedule
from .situation import ERROR, INFO, WARNING, Problem, Situation
from .strategies import MIXED
from .table import BY_NAME

_OWN = tuple(row.name for row in BY_NAME.values() if row.group == "privacy")
READS = frozenset({
    *_OWN, "strategy", "weighting", MIXED, "fraction_train", "num_rounds", "lr_schedule", "server_lr_schedule",
    "mu_schedule", "mu_drift", "spike_factor", "site_boost", "early_stopping_patience", "min_available_clients",
    "min_fit_clients",
})  # fmt: skip
UNIFORM = "uniform"


def of_privacy(it: Situation) -> Iterator[Problem]:
    """The problems of a training that is to be private."""
    wanted = Privacy.of(it.values)
    if wanted is None:
        return
    if wanted.is_central:
        yield from _of_the_mean(it)
        yield from _of_adapting(it, wanted)
        yield from _steered_by_what_is_not_protected(it)
    yield from _of_noise(it, wanted)
    yield from _of_the_budget(it, wanted)


def _of_the_mean(it: Situation) -> Iterator[Problem]:
    """What would let one site move the model farther than the noise is made for."""
    if it.values["weighting"] != UNIFORM:
        yield it.problem(
            ERROR,
            "weighting",
            f"with {it.name('privacy')} {it.values['privacy']} all sites must count alike: a site that counts for more"
            " moves the model farther than the noise hides, and its number of examples is data too",
            f"Set {it.name('weighting')} to {UNIFORM}.",
        )
    if it.strategy.name == "QFedAvg":
        yield it.problem(
            ERROR,
            "strategy",
            f"{it.name('privacy')} {it.values['privacy']} needs sites that count alike, and QFedAvg lets a site count"
            " by the loss that it reports",
            f"Choose another {it.name('strategy')}, or set {it.name('privacy')} to {LOCAL_NOISE}.",
        )
    if it.number(MIXED):
        yield it.problem(
            ERROR,
            MIXED,
            f"with {it.name('privacy')} {it.values['privacy']} a site would be in the mean of others as well, which"
            " moves the model farther than the noise hides",
            f"Set {it.name(MIXED)} to 0, or {it.name('strategy')} to one that withstands liars.",
        )
    if it.strategy.name != "QFedAvg" and not is_mean(it.strategy.name):
        yield it.problem(
            WARNING,
            "strategy",
            f"one site can move what {it.strategy.name} makes by twice the clipping norm, whatever their number, where"
            " it moves a mean by its share: the noise is as much larger",
            "Look whether the model still learns, or take a strategy of means, such as FedAvg.",
        )


def _of_adapting(it: Situation, wanted: Privacy) -> Iterator[Problem]:
    if wanted.is_adaptive and wanted.count_stddev and wanted.noise_multiplier >= 2 * wanted.count_stddev:
        yield it.problem(
            ERROR,
            "privacy_count_stddev",
            f"{it.name('privacy_noise_multiplier')} is {wanted.noise_multiplier:g}, and must be below twice of it: the"
            " count of clipped updates would cost more than the whole round may",
            f"Set it above {wanted.noise_multiplier / 2:g}, or to 0.",
        )


def _steered_by_what_is_not_protected(it: Situation) -> Iterator[Problem]:
    looks = [
        name
        for name in ("lr_schedule", "server_lr_schedule", "mu_schedule")
        if BY_NAME[name].applies_to(it.strategy.name) and Schedule.of(it.values[name]).looks_at_losses
    ]
    looks += ["spike_factor"] * (it.values["spike_factor"] > 0) + ["site_boost"] * (it.values["site_boost"] > 1)
    looks += ["mu_drift"] * (BY_NAME["mu_drift"].applies_to(it.strategy.name) and it.values["mu_drift"] > 0)
    looks += ["early_stopping_patience"] * (it.number("early_stopping_patience") > 0)
    if looks:
        yield it.problem(
            WARNING,
            looks[0],
            "it decides by figures that sites report, which no noise protects: epsilon counts the updates alone",
            "Leave it, unless the figures are those of the server's own test set.",
        )


def _of_noise(it: Situation, wanted: Privacy) -> Iterator[Problem]:
    if not wanted.noise_multiplier:
        yield it.problem(
            ERROR if wanted.epsilon_budget else WARNING,
            "privacy_noise_multiplier",
            f"without noise there is no epsilon, and {it.name('privacy_epsilon_budget')} is {wanted.epsilon_budget:g}"
            if wanted.epsilon_budget
            else "without noise updates are clipped, and nobody is protected",
            f"Set {it.name('privacy_noise_multiplier')} to 1 or more.",
        )
    if wanted.seed:
        yield it.problem(
            WARNING,
            "privacy_seed",
            "anybody can compute this noise and take it away again, so that NOTHING IS PRIVATE",
            f"Leave {it.name('privacy_seed')} at 0 outside of tests.",
        )
    if it.values["fraction_train"] < 1 and wanted.noise_multiplier:
        yield it.problem(
            INFO,
            "fraction_train",
            "which sites are asked follows from a seed that is no secret: epsilon counts each round in full for each"
            " site, and takes no credit for those that were not asked",
            "See docs/privacy.md.",
        )


def _of_the_budget(it: Situation, wanted: Privacy) -> Iterator[Problem]:
    budget, noise, rounds = wanted.epsilon_budget, wanted.noise_multiplier, it.number("num_rounds")
    if not budget or not noise:
        return
    possible = rounds_within(noise, wanted.delta, budget)
    if possible >= rounds:
        return
    hint = (
        f"For {counted(rounds, 'round')}, set {it.name('privacy_noise_multiplier')} to"
        f" {least_noise(rounds, wanted.delta, budget):g} or more, or {it.name('privacy_epsilon_budget')} to"
        f" {_above(wanted.spent({noise: rounds})):g}."
    )
    if possible:
        rule = f"it suffices for {counted(possible, 'round')} of {rounds}, after which the training ends as completed"
    else:
        rule = f"one round alone spends {wanted.spent({noise: 1}):.4g}"
    yield it.problem(WARNING if possible else ERROR, "privacy_epsilon_budget", rule, hint)


def _above(value: float) -> float:
    return float(f"{value * 1.005 + 0.005:.3g}")
