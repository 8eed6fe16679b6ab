# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rates by round: what reaches the strategy and the sites, and the same after whatever has died on the way."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from flwr.app import ArrayRecord, Message, MetricRecord
from simulated import Federation, Killed, trained
from test_exact_resume import train_and_kill, variables

from fedops_kit.knowledge._config.schedules import curve
from fedops_kit.knowledge._config.steering import Steering
from fedops_kit.knowledge._config.training import Training

ROUNDS = 6
KILLS = int(os.environ.get("STEERING_KILLS", "4"))
EVERYTHING = {
    "lr_schedule": "linear_warmup total_iters=2 then reduce_on_plateau patience=0 factor=0.5",
    "server_lr_schedule": "cosine_warm_restarts T_0=3",
    "spike_factor": 1.5,
    "site_boost": 1.5,
}
LOSSES = (1.0, 0.9, 0.8, 5.0, 0.7, 0.6)  # with a spike in round 4


@pytest.fixture
def measures(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], None]:
    """The server measures what a test says, by round; after the last, the last."""

    def measure(curve: Sequence[float]) -> None:
        def evaluate(extra: object, server_round: int, arrays: ArrayRecord) -> MetricRecord | None:
            return MetricRecord({"loss": curve[min(server_round, len(curve)) - 1]}) if server_round else None

        monkeypatch.setattr("fedops_app.run._evaluate_centrally", evaluate)

    measure(LOSSES)
    return measure


class Wire:
    """What sites are told."""

    def __init__(self) -> None:
        self.rates: dict[tuple[int, str], float] = {}
        self.mu: dict[int, float] = {}

    def __call__(self, site: str, message: Message) -> None:
        config = message.content.config_records.get("config") if message.has_content() else None
        if config and "client-lr" in config:
            self.rates[config["server-round"], site] = config["client-lr"]
            self.mu[config["server-round"]] = config.get("proximal-mu")

    def by_round(self, site: str = "site00") -> list[float]:
        return [self.rates[number, site] for number in sorted({number for number, _site in self.rates})]


@pytest.mark.parametrize(
    "text", ["constant", "exponential gamma=0.5", "linear_warmup total_iters=3 then cosine T_max=9", "step step_size=2"]
)
def test_sites_train_with_the_rate_of_the_round_and_the_history_says_so(federation: Federation, text: str) -> None:
    wire = Wire()
    federation.train(lr_schedule=text, spike_factor=100, grid={"on_the_way": wire})
    assert wire.by_round() == curve(text, 0.1, ROUNDS)
    history = federation.published("history.jsonl")
    assert [line["steering"]["client_lr"] for line in history] == wire.by_round()
    assert all(site["client_lr"] == line["steering"]["client_lr"] for line in history for site in line["sites"])


def test_a_schedule_of_one_rate_is_that_rate(federation: Federation) -> None:
    """The factor of a step before its first end is 1, so that nothing may change."""
    federation.train("without", strategy="FedAdam")
    long = "step step_size=1000"
    federation.train("with", strategy="FedAdam", lr_schedule=long, server_lr_schedule=long)
    assert federation.arrays(ROUNDS, "with") == federation.arrays(ROUNDS, "without")


@pytest.mark.parametrize("strategy", ["FedAdam", "FedYogi", "FedAdagrad", "FedAvgM"])
def test_the_server_steps_with_the_rate_of_the_round(federation: Federation, strategy: str) -> None:
    """A rate of nothing from the second round on leaves the model as it is."""
    more = {"server_momentum": 0, "server_lr": 1} if strategy == "FedAvgM" else {}
    federation.train(strategy=strategy, server_lr_schedule="step step_size=1 gamma=1e-30", num_rounds=3, **more)
    history = federation.published("history.jsonl")
    assert history[0]["update_norm"] > 0
    assert [line["update_norm"] for line in history[1:]] == pytest.approx([0, 0], abs=1e-6)


def test_sites_are_held_with_the_mu_of_the_round(federation: Federation) -> None:
    wire = Wire()
    settings = {"strategy": "FedProx", "mu_schedule": "exponential gamma=0.5"}
    federation.train(**settings, grid={"on_the_way": wire})
    assert list(wire.mu.values()) == curve("exponential gamma=0.5", 1.0, ROUNDS)
    drifting = Wire()
    federation.train("drift", strategy="FedProx", mu_drift=1.0, grid={"on_the_way": drifting})
    mu = list(drifting.mu.values())
    assert mu == sorted(mu)  # sites that differ go farther than their mean
    assert 1 == mu[0] < mu[-1] <= 10
    assert [line["steering"]["proximal_mu"] for line in federation.published("history.jsonl")] == mu


def test_without_steering_nothing_speaks_of_it(federation: Federation) -> None:
    federation.train(num_rounds=2)
    assert "steering" not in federation.published("effective.json")
    line = federation.published("history.jsonl")[-1]
    assert "steering" not in line
    assert not any("client_lr" in site for site in line["sites"])
    assert "steering" not in json.loads((federation.checkpoints() / "checkpoint_round_2.json").read_text())


def test_a_spike_halves_the_rate_from_then_on(federation: Federation, measures: object, caplog: Any) -> None:
    wire = Wire()
    federation.train(spike_factor=2, grid={"on_the_way": wire})
    assert wire.by_round() == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05]
    assert [line["steering"]["spike"] for line in federation.published("history.jsonl")] == [False] * 3 + [True] + [
        False
    ] * 2
    assert "Round 4: a loss of 5.0 is a spike (fl_spike_factor): the client learning rate is halved." in caplog.text


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "FedAvgM"])
def test_after_a_spike_the_model_before_it_goes_on(federation: Federation, measures: object, strategy: str) -> None:
    federation.train(spike_factor=2, spike_action="rollback", strategy=strategy)
    assert federation.arrays(4) == federation.arrays(3) != federation.arrays(5)
    history = federation.published("history.jsonl")
    assert history[3]["loss"] == 5.0  # what was measured
    assert json.loads((federation.checkpoints() / "checkpoint_round_4.json").read_text())["loss"] == 0.8  # what is kept


@pytest.mark.parametrize("action", ["lower", "rollback"])
@pytest.mark.parametrize("killed_in_round", [3, 4, 5, 6])
def test_a_killed_training_is_steered_as_an_undisturbed_one(
    federation: Federation, measures: object, action: str, killed_in_round: int
) -> None:
    settings = {**EVERYTHING, "spike_action": action, "strategy": "FedAdam", "checkpoint_interval": 2}
    straight = Wire()
    federation.train("straight", **settings, grid={"on_the_way": straight})
    wire = Wire()
    with pytest.raises(Killed):
        federation.train("killed", **settings, grid={"killed_in_round": killed_in_round, "on_the_way": wire})
    federation.train("killed", **settings, grid={"on_the_way": wire})
    assert wire.rates == straight.rates
    assert federation.arrays(ROUNDS, "killed") == federation.arrays(ROUNDS, "straight")


@pytest.mark.parametrize("strategy", ["FedAvg", "FedAdam", "Krum"])
def test_kills_at_random_moments_change_nothing_of_how_it_is_steered(
    federation: Federation, measures: Callable[[Sequence[float]], None], strategy: str
) -> None:
    chance = random.Random(f"steered kills of {strategy}")
    rounds = 2 * KILLS + 4
    measures([1.0 + chance.random() * (9 if chance.random() < 0.2 else 0.5) for _round in range(rounds)])
    settings = {
        **EVERYTHING, "spike_action": "rollback", "num_rounds": rounds, "checkpoint_keep_last": 2,
        **variables(strategy),
    }  # fmt: skip
    federation.train("straight", **settings)
    reached = [train_and_kill(federation, settings, chance) for _kill in range(KILLS)]
    assert reached == sorted(reached)
    federation.train("killed", **settings)
    assert federation.arrays(rounds, "killed") == federation.arrays(rounds, "straight")


def test_a_site_that_lags_trains_faster_and_no_other(federation: Federation) -> None:
    wire = Wire()
    federation.train(site_boost=1.2, num_rounds=4, grid={"on_the_way": wire})
    history = federation.published("history.jsonl")
    assert {rate for (number, _site), rate in wire.rates.items() if number == 1} == {0.1}
    boosted = {(number, site): rate for (number, site), rate in wire.rates.items() if rate > 0.1}
    assert boosted
    for (number, site), rate in boosted.items():
        assert rate <= 0.1 * 1.2
        losses = {entry["site"]: entry["loss"] for entry in history[number - 2]["sites"]}
        assert losses[site] > sorted(losses.values())[len(losses) // 2]
    told = {(line["round"], entry["site"]): entry["client_lr"] for line in history for entry in line["sites"]}
    assert told == wire.rates


def test_a_checkpoint_that_says_nonsense_of_it_is_damaged(federation: Federation) -> None:
    from fedops_kit.knowledge._checkpoint.manifest import sealed

    with pytest.raises(Killed):
        federation.train(**EVERYTHING, grid={"killed_in_round": 4})
    path = federation.checkpoints() / "checkpoint_round_3.json"
    manifest = json.loads(path.read_text())
    manifest["steering"]["mu_factor"] = "1"
    del manifest["manifest_sha256"]
    path.write_text(json.dumps(sealed(manifest)))
    assert trained(federation.train(**EVERYTHING))[0] == 3


def test_what_is_published_is_what_steers(federation: Federation) -> None:
    federation.train(**EVERYTHING, num_rounds=1)
    effective = federation.published("effective.json")
    steering = Steering.of(Training.from_run_config(effective["run_config"]).values)
    assert steering is not None
    assert effective["steering"] == steering.told
    assert effective["steering"]["schedules"] == {
        "client_lr": f"linear_warmup start_factor={1 / 3} total_iters=2 then reduce_on_plateau factor=0.5 patience=0"
        " threshold=0.0001 cooldown=0 min_lr=0.0 eps=1e-08"
    }  # FedAvg has no rate of the server
