# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies are those of the real Flower: their parameters, their defaults, their arithmetic."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import (
    SHARED_PARAMETERS,
    STRATEGIES,
    least_replies_trimmed,
    sampled,
    trimmed,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import strategy as flower
from flwr.serverapp.strategy.fedtrimmedavg import trim_mean
from flwr.supercore.task_identity import TaskIdentity
from hypothesis import given
from hypothesis import strategies as st

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=lambda strategy: strategy.name)

# What the collection leaves at Flower's default: names inside messages, and functions.
LEFT_ALONE = {
    "weighted_by_key",
    "arrayrecord_key",
    "configrecord_key",
    "train_metrics_aggr_fn",
    "evaluate_metrics_aggr_fn",
    "selection_rule",
    "train_loss_key",
}
ENOUGH = {"fl_min_available_clients": 3}


def signature(strategy):
    return inspect.signature(getattr(flower, strategy.name)).parameters


@every_strategy
def test_every_parameter_of_the_class_is_a_variable_or_left_alone_on_purpose(strategy):
    assert set(signature(strategy)) - LEFT_ALONE == {*SHARED_PARAMETERS, *strategy.parameters}


@every_strategy
def test_defaults_are_flowers_unless_the_table_says_why_not(strategy):
    for keyword, name in {**SHARED_PARAMETERS, **strategy.parameters}.items():
        default = signature(strategy)[keyword].default
        if default is not inspect.Parameter.empty and not BY_NAME[name].own_default:
            assert BY_NAME[name].default_for(strategy.name) == default, keyword


@pytest.mark.parametrize("name", [row.name for row in BY_NAME.values() if row.own_default])
def test_a_default_of_our_own_does_differ(name):
    flowers = {
        signature(strategy)[keyword].default
        for strategy in STRATEGIES.values()
        for keyword, variable in strategy.parameters.items()
        if variable == name
    }
    assert flowers != {BY_NAME[name].default}


@every_strategy
def test_a_strategy_has_defaults_of_its_own_for_its_own_parameters(strategy):
    assert set(strategy.defaults) <= set(strategy.parameters.values())
    assert all(BY_NAME[name].default_for(strategy.name) == value for name, value in strategy.defaults.items())
    assert all(BY_NAME[name].default != value for name, value in strategy.defaults.items())


@every_strategy
@pytest.mark.parametrize("fraction_evaluate", [0, 0.5])
def test_the_live_object_shows_the_parameters_it_was_given(strategy, fraction_evaluate):
    training = Training.from_variables(
        {"fl_strategy": strategy.name, "fl_fraction_evaluate": fraction_evaluate, **ENOUGH}
    )
    live = getattr(flower, strategy.name)(**training.strategy_parameters)
    assert {name: getattr(live, name) for name in training.strategy_parameters} == training.strategy_parameters


@pytest.mark.parametrize(
    ("name", "malicious", "nodes"),
    [("Krum", 0, 3), ("Krum", 1, 5), ("MultiKrum", 2, 7), ("Bulyan", 0, 3), ("Bulyan", 1, 7), ("FedAvg", 9, 1)],
)
def test_the_nodes_that_a_strategy_needs(name, malicious, nodes):
    assert STRATEGIES[name].minimum_nodes({"num_malicious": malicious}) == nodes


@pytest.mark.parametrize("malicious", [0, 1])
def test_bulyan_aggregates_from_the_minimum_on(malicious, monkeypatch):
    for name in ("_task_id", "_run_id", "_node_id"):  # as in Flower's process
        monkeypatch.setattr(TaskIdentity, name, 1)
    needed = STRATEGIES["Bulyan"].minimum_nodes({"num_malicious": malicious})
    live = flower.Bulyan(num_malicious_nodes=malicious)
    aggregated = [live.aggregate_train(1, replies(number))[0] is not None for number in (needed - 1, needed)]
    assert aggregated == [False, True]


def replies(number):
    return [
        Message(
            RecordDict(
                {
                    "arrays": ArrayRecord([np.array([float(node)])]),
                    "metrics": MetricRecord({"num-examples": 1}),
                }
            ),
            dst_node_id=node,
            message_type="train",
        )
        for node in range(1, number + 1)
    ]


@given(st.floats(min_value=0.001, max_value=0.5, exclude_max=True))
def test_the_least_replies_of_which_any_are_trimmed(beta):
    least = least_replies_trimmed(beta)
    assert (trimmed(least - 1, beta), trimmed(least, beta)) == (0, 1)


@pytest.mark.parametrize("beta", [0.1, 0.2, 0.25, 0.3, 0.49])
def test_flower_trims_an_outlier_from_that_many_replies_on(beta):
    least = least_replies_trimmed(beta)
    outlier_left = [trim_mean(np.array([1e6] + [0.0] * (number - 1)), beta) > 0 for number in (least - 1, least)]
    assert outlier_left == [True, False]


def test_a_tiny_beta_has_an_answer():
    assert least_replies_trimmed(5e-324) >= 10**9


@pytest.mark.parametrize(
    ("nodes", "fraction", "minimum", "asked"), [(10, 1.0, 2, 10), (10, 0.25, 2, 2), (3, 0.7, 1, 2), (2, 0.5, 5, 5)]
)
def test_the_nodes_that_are_asked_in_a_round(nodes, fraction, minimum, asked):
    assert sampled(nodes, fraction, minimum) == asked
