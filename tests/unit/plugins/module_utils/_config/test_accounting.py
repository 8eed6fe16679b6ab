# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The epsilon of Gaussian releases, as dp-accounting computes it."""

from __future__ import annotations

import math

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.accounting import (
    epsilon,
    least_noise,
    rounds_within,
)

# What RdpAccountant of dp-accounting 0.6.0 has said; tests/unit/fab/test_dp_accounting.py asks it.
RECORDED = [
    ({0.05: 1}, 1e-05, 294.86126007165325),
    ({0.3: 10}, 1e-05, 104.44964175838936),
    ({0.7: 1}, 0.001, 5.489405997233835),
    ({1.0: 1}, 1e-05, 4.728507067217623),
    ({1.0: 10}, 1e-05, 19.05359753163139),
    ({1.1: 100}, 1e-06, 87.37738477419134),
    ({2.0: 3}, 1e-09, 5.529871817477048),
    ({4.3: 1000}, 1e-05, 60.69067108433693),
    ({10.0: 50}, 1e-05, 3.1889915626335883),
    ({50.0: 100000}, 1e-07, 54.448609781265255),
    ({500.0: 7}, 0.01, 0.0),
    ({1000.0: 1}, 0.3, 0.0),
    ({1.0: 10, 2.5: 3}, 1e-05, 19.63518687613612),
]


@pytest.mark.parametrize(("releases", "delta", "expected"), RECORDED)
def test_it_is_what_dp_accounting_says(releases, delta, expected):
    assert epsilon(releases, delta) == expected


def test_nothing_is_spent_by_nothing_and_everything_without_noise():
    assert epsilon({}, 1e-5) == 0 == epsilon({1.0: 0}, 1e-5)
    assert math.isinf(epsilon({0.0: 1}, 1e-5))
    assert math.isinf(epsilon({1e-200: 1}, 1e-5))
    assert epsilon({1e6: 1}, 1e-5) == 0


def test_more_rounds_and_less_noise_spend_more():
    spent = [epsilon({1.0: rounds}, 1e-5) for rounds in range(1, 200)]
    assert spent == sorted(spent)
    assert len(set(spent)) == len(spent)
    assert epsilon({0.9: 5}, 1e-5) > epsilon({1.0: 5}, 1e-5) > epsilon({1.0: 5}, 1e-4)


@pytest.mark.parametrize("budget", [0.5, 3.0, 8.0, 40.0])
@pytest.mark.parametrize("noise", [0.5, 1.0, 4.0, 20.0])
def test_rounds_within_a_budget(noise, budget):
    rounds = rounds_within(noise, 1e-5, budget)
    assert rounds == 0 or epsilon({noise: rounds}, 1e-5) <= budget
    assert epsilon({noise: rounds + 1}, 1e-5) > budget
    if rounds > 2:
        assert rounds_within(noise, 1e-5, budget, {noise: 2}) == rounds - 2


@pytest.mark.parametrize("rounds", [1, 10, 1000])
def test_the_least_noise_for_so_many_rounds(rounds):
    noise = least_noise(rounds, 1e-5, 3.0)
    assert epsilon({noise: rounds}, 1e-5) <= 3 < epsilon({0.88 * noise: rounds}, 1e-5)
