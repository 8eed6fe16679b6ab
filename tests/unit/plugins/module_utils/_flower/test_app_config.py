# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Flower app is given of a training's variables."""

from __future__ import annotations

import tomllib

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._flower.app import App
from ansible_collections.fedops.flower.plugins.module_utils._flower.app_config import for_app


def app(**config: object) -> App:
    return App(
        "/apps/theirs", "they", "theirs", "1.0.0", {key.replace("_", "-"): value for key, value in config.items()}
    )


def training(**variables: object) -> Training:
    return Training.from_variables(variables)


def test_an_app_that_declares_every_variable_is_given_all_of_them() -> None:
    asked = training(fl_strategy="FedProx")
    given = for_app(App("/ours", "us", "ours", "1", asked.run_config), asked, {})
    assert (given.values, given.problems, given.configuration_hash, given.toml) == (
        asked.run_config,
        (),
        asked.configuration_hash,
        asked.toml,
    )


def test_an_app_of_ones_own_is_given_what_it_declares_and_what_it_alone_knows() -> None:
    asked = training(fl_num_rounds=7)
    given = for_app(app(num_rounds=3, learning_rate=0.5, nested="x"), asked, {"learning-rate": 1, "nested": "y"})
    assert given.values == {"num-rounds": 7, "learning-rate": 1.0, "nested": "y"}
    assert given.problems == ()
    assert tomllib.loads(given.toml) == given.values


def test_an_app_that_adds_keys_to_all_of_ours_keeps_the_hash_that_it_publishes() -> None:
    asked = training()
    given = for_app(App("/ours", "us", "ours", "1", {**asked.run_config, "depth": 2}), asked, {"depth": 3})
    assert given.values == {**asked.run_config, "depth": 3}
    assert given.configuration_hash == asked.configuration_hash


def test_its_hash_tells_apps_and_values_apart() -> None:
    asked = training()
    hashes = {
        for_app(declared, asked, extra).configuration_hash
        for declared, extra in [
            (app(num_rounds=3), {}),
            (app(num_rounds=3, lr=0.5), {"lr": 0.1}),
            (app(num_rounds=3, lr=0.5), {"lr": 0.2}),
            (App("/p", "they", "others", "1.0.0", {"num-rounds": 3}), {}),
        ]
    }
    assert len(hashes) == 4


@pytest.mark.parametrize(
    ("config", "variables", "extra", "severity", "message"),
    [
        (
            {"num_rounds": 3},
            {"fl_seed": 7},
            {},
            "warning",
            "fl_seed is 7 but the app they/theirs does not declare seed, so that it does not get it. Declare the key "
            "in the app's [tool.flwr.app.config] and read it there, or leave the variable unset.",
        ),
        (
            {"seed": "abc"},
            {"fl_seed": 7},
            {},
            "warning",
            "fl_seed is 7 but the app they/theirs declares seed as text, so that it does not get it. Declare the key "
            "in the app's [tool.flwr.app.config] and read it there, or leave the variable unset.",
        ),
        (
            {"learning_rate": 0.1},
            {},
            {"learning-rat": 0.2},
            "error",
            "training_run_config['learning-rat'] is 0.2 but the app they/theirs declares no such key in its "
            "[tool.flwr.app.config]. Did you mean learning-rate?",
        ),
        (
            {"learning_rate": 0.1},
            {},
            {"learning-rate": "fast"},
            "error",
            "training_run_config['learning-rate'] is 'fast' but they/theirs declares it as a number, with the default "
            "0.1. Give a value of that type.",
        ),
        (
            {"verbose": 1},
            {},
            {"verbose": True},
            "error",
            "training_run_config['verbose'] is true but they/theirs declares it as a whole number, with the default 1. "
            "Give a value of that type.",
        ),
    ],
)
def test_what_does_not_fit_is_told(config: dict, variables: dict, extra: dict, severity: str, message: str) -> None:
    given = for_app(app(**config), training(**variables), extra)
    assert [(problem.severity, problem.message) for problem in given.problems] == [(severity, message)]


def test_a_default_that_the_app_does_not_know_is_not_worth_a_word() -> None:
    assert for_app(app(), training(), {}).problems == ()


def test_an_app_need_not_know_what_its_training_is_called() -> None:
    assert for_app(app(), training(fl_training_name="winter"), {}).problems == ()
