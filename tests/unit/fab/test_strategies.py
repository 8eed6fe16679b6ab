# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The factory, held against Flower's real classes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from flwr.app import ArrayRecord
from flwr.serverapp import strategy as flower
from simulated import Federation

from fedops_app import strategies, task
from fedops_kit.errors import RunFailedError
from fedops_kit.knowledge._config.strategies import STRATEGIES
from fedops_kit.knowledge._config.training import Training, TrainingError
from fedops_kit.state import capture, restore

PARAMETERS = {
    "Krum": {"fl_num_malicious": 1},
    "FedProx": {"fl_proximal_mu": 0.25},
    "FedTrimmedAvg": {"fl_trim_beta": 0.3},
}

every_strategy = pytest.mark.parametrize("name", STRATEGIES)


def training(name: str, **variables: object) -> Training:
    return Training.from_variables(
        {"fl_strategy": name, "fl_min_available_clients": 9, **PARAMETERS.get(name, {}), **variables}
    )


@every_strategy
def test_the_object_is_flowers_own_class_with_what_was_asked(name: str) -> None:
    asked = training(name)
    built = strategies.build(asked)
    assert built.__class__ is getattr(flower, name)
    described = strategies.describe(built, asked)
    assert described == {
        "name": name,
        "class": f"flwr.serverapp.strategy.{name.lower()}.{name}",
        "parameters": asked.strategy_parameters,
    }
    assert set(described["parameters"]) <= set(inspect.signature(getattr(flower, name)).parameters)


def test_the_description_is_read_from_the_object(federation: Federation) -> None:
    asked = training("FedProx")
    built = strategies.build(asked)
    built.proximal_mu = 0.0
    assert strategies.describe(built, asked)["parameters"]["proximal_mu"] == 0.0


@every_strategy
def test_a_run_publishes_what_was_asked(federation: Federation, name: str) -> None:
    federation.train(strategy=name, num_rounds=1)
    effective = federation.published("effective.json")
    checkpoints = str(federation.checkpoints())
    asked = Training.from_variables(
        {
            "fl_strategy": name,
            "fl_num_rounds": 1,
            "fl_min_available_clients": 7,
            "fl_checkpoint_enabled": True,
            "fl_checkpoint_interval": 1,
            "fl_checkpoint_path": checkpoints,
            "fl_checkpoint_keep_last": 0,
        }
    )
    assert differences(asked, effective) == []


def test_an_unknown_strategy_lists_the_known_ones() -> None:
    unknown = Training({**training("FedAvg").values, "strategy": "FedSecret"})
    with pytest.raises(RunFailedError, match="strategy is 'FedSecret' but must be one of FedAvg, FedProx, FedAdam"):
        strategies.build(unknown)


def test_an_unknown_strategy_fails_the_run(federation: Federation) -> None:
    with pytest.raises(TrainingError, match="must be one of FedAvg"):
        federation.train_run_config({"strategy": "FedSecret"})


def _arrays_of(value: object) -> dict[str, bytes]:
    if isinstance(value, ArrayRecord):
        return {name: array.data for name, array in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], np.ndarray):
        return {str(index): array.tobytes() for index, array in enumerate(value)}
    if isinstance(value, dict) and value and all(isinstance(array, np.ndarray) for array in value.values()):
        return {name: array.tobytes() for name, array in value.items()}
    return {}


@every_strategy
def test_no_array_that_a_strategy_carries_is_forgotten(
    federation: Federation, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drift guard: when Flower's class keeps arrays that we do not know of, this fails."""
    built = []
    build = strategies.build
    monkeypatch.setattr(strategies, "build", lambda asked: built.append(build(asked)) or built[-1])
    federation.train(strategy=name, num_rounds=2)
    carried = {attribute for attribute, value in vars(built[0]).items() if _arrays_of(value)}
    rebuilt_by_configure_train = {"current_arrays"}
    saved = {state.partition("/")[0] for state in capture(built[0])}
    assert carried - rebuilt_by_configure_train <= saved


@pytest.mark.parametrize("name", ["FedAdam", "FedAdagrad", "FedYogi", "FedAvgM"])
def test_what_was_captured_is_restored(federation: Federation, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    build = strategies.build
    monkeypatch.setattr(strategies, "build", lambda asked: built.append(build(asked)) or built[-1])
    federation.train(strategy=name, num_rounds=2)
    state = capture(built[0])
    model = sum(array.nbytes for array in task.initial_arrays(0).values())
    assert sum(array.nbytes for array in state.values()) == STRATEGIES[name].state_models * model
    fresh = build(training(name))
    restore(fresh, state)
    for attribute in {entry.partition("/")[0] for entry in state}:
        assert type(getattr(fresh, attribute)) is type(getattr(built[0], attribute))
    np.testing.assert_equal(capture(fresh), state)
