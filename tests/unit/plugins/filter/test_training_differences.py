# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter that proves a run."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.training_differences import training_differences
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training

ASKED = Training.from_variables({"fl_strategy": "FedProx", "fl_proximal_mu": 0.5})


def effective(mu: float) -> dict:
    return {
        "training": "default",
        "configuration_hash": ASKED.configuration_hash,
        "strategy": {
            "name": "FedProx",
            "class": "flwr.serverapp.strategy.fedprox.FedProx",
            "parameters": {**ASKED.strategy_parameters, "proximal_mu": mu},
        },
        "run_config": ASKED.run_config,
    }


def test_a_run_that_does_as_asked_has_no_difference() -> None:
    assert training_differences(effective(0.5), ASKED.toml) == []


def test_a_parameter_that_did_not_reach_the_strategy_is_named() -> None:
    assert training_differences(effective(1.0), ASKED.toml) == [
        "Parameter proximal_mu of the strategy was to be 0.5 and is 1.0."
    ]


def test_a_finished_training_is_held_only_to_what_decides_its_model() -> None:
    now = Training.from_variables(
        {
            "fl_strategy": "FedProx",
            "fl_proximal_mu": 0.5,
            "fl_num_rounds": 2,
            "fl_round_timeout": 5,
            "fl_resume": "never",
        }
    )
    assert training_differences(effective(0.5), now.toml, model_only=True) == []
    assert len(training_differences(effective(0.5), now.toml)) == 3
    assert training_differences(effective(1.0), now.toml, model_only=True) == [
        "Parameter proximal_mu of the strategy was to be 0.5 and is 1.0."
    ]


def test_early_stopping_is_held_to_what_the_run_counts_with() -> None:
    asked = Training.from_variables({"fl_strategy": "FedProx", "fl_proximal_mu": 0.5, "fl_early_stopping_patience": 5})
    settings = {"patience": 5, "min_delta": 0.0, "metric": "loss", "mode": "auto", "warmup_rounds": 0}
    ran = {**effective(0.5), "run_config": asked.run_config, "early_stopping": settings}
    assert training_differences(ran, asked.toml) == []
    (difference,) = training_differences({**ran, "early_stopping": {**settings, "patience": 3}}, asked.toml)
    assert difference.startswith("Early stopping was to be {'patience': 5")
    (difference,) = training_differences({**ran, "early_stopping": None}, asked.toml)
    assert difference.endswith(" and is missing.")
    assert training_differences(effective(0.5), asked.toml, model_only=True) == []


def test_a_default_of_another_strategy_may_have_moved_since_the_run_began() -> None:
    earlier = effective(0.5)
    earlier["run_config"] = {**ASKED.run_config, "qfedavg-q": 0.1}
    assert ASKED.run_config["qfedavg-q"] == 0.001
    assert training_differences(earlier, ASKED.toml) == []
    earlier["run_config"] = {**ASKED.run_config, "qfedavg-q": 0.3}
    assert training_differences(earlier, ASKED.toml) == ["Run configuration key qfedavg-q was to be 0.001 and is 0.3."]


@pytest.mark.parametrize(("published", "run_config"), [(None, ASKED.toml), ({}, "not toml ["), ({}, None)])
def test_what_cannot_be_compared_is_refused_in_words(published: object, run_config: object) -> None:
    with pytest.raises(AnsibleFilterError):
        training_differences(published, run_config)


KEPT = 'lr = 0.1\nfedops.training-name = "theirs"\nfedops.seed = 42\nfedops.checkpoint-interval = 1\n'


def told(**changes: object) -> dict:
    config = {"lr": 0.1, "fedops.training-name": "theirs", "fedops.seed": 42, "fedops.checkpoint-interval": 1}
    names = {name.replace("__", ".").replace("_", "-"): value for name, value in changes.items()}
    return {"training": "theirs", "strategy": {"name": "TheirOwn"}, "run_config": {**config, "more": 1, **names}}


def test_an_app_with_the_kit_is_held_to_the_keys_that_it_was_given() -> None:
    assert training_differences(told(), KEPT) == []
    assert training_differences(told(lr=0.2), KEPT) == ["Run configuration key lr was to be 0.1 and is 0.2."]
    other = told(fedops__checkpoint_interval=5)
    assert len(training_differences(other, KEPT)) == 1
    assert training_differences(other, KEPT, model_only=True) == []
    assert training_differences({**told(), "training": "another"}, KEPT) == [
        "The training was to be 'theirs' and is 'another'."
    ]
