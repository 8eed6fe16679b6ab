# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the outcome of a round makes of the rates of the next."""

from __future__ import annotations

import json
import math

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.schedules import Plateau
from ansible_collections.fedops.flower.plugins.module_utils._config.steering import RoundOutcome, Steered, Steering
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check


def steering(**variables: object) -> Steering:
    found = Steering.of(Training.from_variables({f"fl_{name}": value for name, value in variables.items()}).values)
    assert found is not None
    return found


def after(settings: Steering, *losses: float | None, **more: object) -> Steered:
    known = Steered()
    for number, loss in enumerate(losses, start=1):
        known = settings.after(known, number, RoundOutcome(loss, **more))
    return known


def test_nothing_is_steered_unless_it_is_asked_for() -> None:
    for variables in ({}, {"fl_mu_schedule": "step step_size=1"}, {"fl_mu_drift": 2}, {"fl_spike_window": 9}):
        assert Steering.of(Training.from_variables(variables).values) is None  # FedAvg has no mu
    assert Steering.of({"training_name": "of an app of one's own"}) is None


@pytest.mark.parametrize("loss", [2.1, math.nan, math.inf])
def test_a_spike_lowers_the_rate_and_is_no_part_of_the_median(loss: float) -> None:
    settings = steering(spike_factor=2)
    known = after(settings, 1.0, 1.0, 1.0, 1.0)
    assert settings.is_spike(known, loss)
    assert not settings.is_spike(known, 2.0)
    assert not settings.is_spike(known, None)
    lowered = settings.after(known, 5, RoundOutcome(loss))
    assert (lowered.losses, lowered.spikes) == (known.losses, 1)
    assert settings.rates(6, lowered)["client_lr"] == 0.05
    assert steering(spike_factor=2, spike_action="rollback").rates(6, lowered)["client_lr"] == 0.1


def test_a_median_needs_three_losses_and_has_the_last_of_them() -> None:
    settings = steering(spike_factor=2, spike_window=3)
    assert not settings.is_spike(after(settings, 1.0, 1.0), 100.0)
    assert after(settings, 9.0, 8.0, 7.0, 6.0, None).losses == (8.0, 7.0, 6.0)


def test_a_site_that_lags_gets_a_bounded_factor() -> None:
    settings = steering(site_boost=2)
    losses = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 90.0, "e": 1.0}
    assert after(settings, 1.0, sites=losses).sites == {"c": 1.5, "d": 2.0}
    for odd in ({"a": 1.0, "b": 9.0}, {"a": math.nan, "b": 1.0, "c": 2.0}, {"a": -1.0, "b": 0.0, "c": 1.0}):
        assert after(settings, 1.0, sites=odd).sites == {}


def test_mu_follows_the_drift_within_bounds() -> None:
    settings = steering(strategy="FedProx", proximal_mu=0.1, mu_drift=2)
    assert after(settings, 1.0, drift=3.0).mu_factor == 1.5
    assert after(settings, 1.0, drift=1.0).mu_factor == 0.5
    assert after(settings, *[1.0] * 9, drift=50.0).mu_factor == 10
    assert after(settings, *[1.0] * 9, drift=0.1).mu_factor == 0.1
    assert after(settings, 1.0, drift=None).mu_factor == 1
    assert settings.rates(2, after(settings, 1.0, drift=3.0))["proximal_mu"] == pytest.approx(0.15)


def test_each_rate_has_its_own_schedule() -> None:
    settings = steering(
        strategy="FedAdam", client_lr=1, server_lr=2, lr_schedule="exponential gamma=0.5",
        server_lr_schedule="reduce_on_plateau patience=0",
    )  # fmt: skip
    known = after(settings, 1.0, 1.0)
    assert settings.rates(3, known) == {"client_lr": 0.25, "server_lr": pytest.approx(0.2)}
    assert known.plateaus == {"server_lr": Plateau(0.2, 1.0, 0, 0)}
    assert Steered.of(json.loads(json.dumps(known.said))) == known


@pytest.mark.parametrize(
    "change",
    [
        {"losses": ["1"]},
        {"losses": [math.nan]},
        {"losses": [10**400]},
        {"losses": None},
        {"spikes": -1},
        {"spikes": True},
        {"mu_factor": None},
        {"sites": {"a": "x"}},
        {"plateaus": {"client_lr": {"rate": "x"}}},
        {"plateaus": {"client_lr": {"unknown": 1}}},
        {"plateaus": {"client_lr": {"bad": 0.5}}},
        {"plateaus": []},
    ],
)
def test_what_was_not_written_so_is_not_read(change: dict) -> None:
    with pytest.raises(ValueError, match="^what it says of steering cannot be read$"):
        Steered.of({**Steered().said, **change})
    with pytest.raises(ValueError, match="^what it says of steering cannot be read$"):
        Steered.of([])


@pytest.mark.parametrize(
    ("variables", "severity", "name"),
    [
        ({"spike_factor": 1}, "error", "fl_spike_factor"),
        ({"spike_factor": 2, "fraction_evaluate": 0}, "warning", "fl_spike_factor"),
        ({"lr_schedule": "reduce_on_plateau", "fraction_evaluate": 0}, "warning", "fl_lr_schedule"),
        ({"strategy": "QFedAvg", "site_boost": 2}, "warning", "fl_site_boost"),
        ({"mu_schedule": "step step_size=2"}, "info", "fl_mu_schedule"),
        ({"strategy": "Krum", "server_lr_schedule": "cosine"}, "warning", "fl_server_lr_schedule"),
    ],
)
def test_what_does_not_fit_together_is_said(variables: dict, severity: str, name: str) -> None:
    found = check({f"fl_{key}": value for key, value in variables.items()})
    assert (severity, name) in [(problem.severity, problem.variable) for problem in found]
