# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The epsilon that is told is the one that dp-accounting computes, asked directly or by Flower's own accountant."""

from __future__ import annotations

import pytest
from flwr.supercore.privacy_accounting import GaussianPrivacyEvent, NeighboringRelation, PrivacyConfig, SamplingMethod
from flwr.supercore.privacy_accounting.rdp_accountant import RdpAccountant

from fedops_kit import accountant as kits
from fedops_kit.knowledge._config.accounting import ORDERS, epsilon

dp_accounting = pytest.importorskip(
    "dp_accounting", reason="dp-accounting is not installed: make test-examples runs this with it"
)


@pytest.mark.parametrize("noise", [0.05, 0.3, 0.5, 0.7, 1.0, 1.1, 2.0, 4.3, 10.0, 50.0, 500.0])
@pytest.mark.parametrize("rounds", [1, 2, 7, 50, 100, 1000, 100_000])
@pytest.mark.parametrize("delta", [0.3, 1e-3, 1e-5, 1e-6, 1e-9])
def test_a_direct_call(noise: float, rounds: int, delta: float) -> None:
    accountant = dp_accounting.rdp.RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(noise), rounds)
    assert epsilon({noise: rounds}, delta) == accountant.get_epsilon(delta)


def test_releases_of_several_kinds() -> None:
    accountant = dp_accounting.rdp.RdpAccountant()
    accountant.compose(dp_accounting.GaussianDpEvent(1.0), 10)
    accountant.compose(dp_accounting.GaussianDpEvent(2.5), 3)
    assert epsilon({1.0: 10, 2.5: 3}, 1e-5) == accountant.get_epsilon(1e-5)


def test_a_training_asks_the_library_itself_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kits.accountant().startswith("dp-accounting 0.")
    monkeypatch.setattr(kits, "by_formula", None)
    asked = kits.epsilon({1.0: 10, 2.5: 3, 7.0: 0}, 1e-5)
    assert asked == epsilon({1.0: 10, 2.5: 3}, 1e-5)
    monkeypatch.setattr(kits, "by_formula", epsilon)
    assert kits.epsilon({0.0: 1}, 1e-5) == float("inf")
    monkeypatch.setattr(kits, "library", lambda: None)
    assert (kits.accountant(), kits.epsilon({1.0: 10, 2.5: 3}, 1e-5)) == (kits.FORMULA, asked)


def test_flowers_accountant() -> None:
    config = PrivacyConfig(1e-5, 10, NeighboringRelation.ADD_OR_REMOVE_ONE, SamplingMethod.NO_AMPLIFICATION)
    accountant = RdpAccountant(config)
    accountant.compose(GaussianPrivacyEvent(1.3, 5, 10), 12)
    assert epsilon({1.3: 12}, 1e-5) == accountant.get_epsilon(1e-5)


def test_the_orders_are_its_own() -> None:
    assert list(ORDERS) == [float(order) for order in dp_accounting.rdp.rdp_privacy_accountant.DEFAULT_RDP_ORDERS]
    tight = dp_accounting.get_epsilon_gaussian(1.0, 1e-5)
    assert tight < epsilon({1.0: 1}, 1e-5) < 1.1 * tight  # what it says is never too little
