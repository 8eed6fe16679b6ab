# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training means the same wherever its configuration comes from."""

from __future__ import annotations

import dataclasses
import json
import tomllib

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import CLAIM, harmless_value
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import STRATEGIES
from ansible_collections.fedops.flower.plugins.module_utils._config.table import RUNTIME_NAMES, VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import (
    Problem,
    Training,
    TrainingError,
    check,
    node_count,
)
from flwr.common.config import fuse_dicts, parse_config_args
from hypothesis import given
from hypothesis import strategies as st

from .test_values import anything


def _values(row):
    if row.choices:
        return st.sampled_from(row.choices)
    if row.name == "training_name":
        return st.from_regex(row.pattern, fullmatch=True)
    if row.type == "str":
        return st.text(st.characters(categories=["L", "N", "S"]), min_size=1, max_size=20).map(lambda text: "/" + text)
    if row.type == "bool":
        return st.booleans()
    if row.type == "int":
        return st.integers(int(row.minimum), min(int(row.maximum or 50), 50))
    return st.floats(
        row.minimum, row.maximum or 10, exclude_min=row.exclusive_minimum, exclude_max=row.exclusive_maximum
    )


settings = st.fixed_dictionaries({}, optional={row.ansible: _values(row) for row in VARIABLES})
trainings = settings.filter(lambda chosen: all(p.severity != "error" for p in check(chosen))).map(
    Training.from_variables
)
nearly_variables = st.dictionaries(
    st.sampled_from([row.ansible for row in VARIABLES]) | st.text(), anything, max_size=8
)


@given(trainings)
def test_the_run_configuration_means_the_same_training_to_the_server_app(training):
    again = Training.from_run_config(tomllib.loads(training.toml))
    assert again.values == training.values
    assert again.configuration_hash == training.configuration_hash
    assert again.strategy_parameters == training.strategy_parameters


@given(trainings)
def test_the_run_configuration_has_the_keys_and_types_that_the_app_declares(training):
    declared = {row.key: row.type for row in VARIABLES}
    assert {key: type(value).__name__ for key, value in tomllib.loads(training.toml).items()} == declared


@given(nearly_variables, st.none() | st.integers(0, 9))
def test_whatever_the_variables_there_are_problems_and_no_traceback(variables, nodes_online):
    problems = check(variables, nodes_online)
    assert all(problem.message.isprintable() for problem in problems)
    json.dumps([problem.as_dict() for problem in problems], allow_nan=False)


@given(nearly_variables)
def test_a_training_exists_exactly_when_nothing_is_an_error(variables):
    raised: list[Problem] = []
    try:
        Training.from_variables(variables)
    except TrainingError as error:
        raised = error.problems
    assert raised == [problem for problem in check(variables) if problem.severity == "error"]


def test_the_error_lists_all_errors_and_nothing_else():
    with pytest.raises(TrainingError) as caught:
        Training.from_variables({"fl_seed": -1, "fl_num_rounds": 0, "fl_tau": 0.1})
    assert str(caught.value).splitlines() == [
        "fl_num_rounds is 0 but must be at least 1. Correct it, or leave it unset for 3.",
        "fl_seed is -1 but must be from 0 to 4294967295. Correct it, or leave it unset for 42.",
    ]


@given(st.dictionaries(st.text() | st.integers() | st.sampled_from(["strategy", "seed"]), anything, max_size=5))
def test_whatever_the_run_configuration_there_is_a_training_or_an_error(run_config):
    names: set[str] = set()
    errors: list[Problem] = []
    try:
        names = set(Training.from_run_config(run_config).values)
    except TrainingError as error:
        errors = error.problems
    assert errors or names == {row.name for row in VARIABLES}


def test_flower_reads_the_file_as_it_was_meant(tmp_path):
    training = Training.from_variables({"fl_training_name": "digits", "fl_proximal_mu": 1, "fl_strategy": "FedProx"})
    path = tmp_path / "run-config.toml"
    path.write_text(training.toml)
    declared = Training.from_variables({}).run_config
    assert fuse_dicts(declared, parse_config_args([str(path)])) == training.run_config


def test_the_hash_is_the_same_for_every_spelling_of_a_value():
    spellings = [{"fl_client_lr": 0.5}, {"fl_client_lr": "0.50"}, {"fl_client_lr": "5e-1"}, {"fl_client_lr": " .5"}]
    assert len({Training.from_variables(variables).configuration_hash for variables in spellings}) == 1


def test_the_hash_of_the_defaults_is_what_it_was():
    # Another hash makes every checkpoint out there the checkpoint of another training.
    assert Training.from_variables({}).configuration_hash == (
        "b4ac45e265f6b4a6f902405d448b612a2569fe676dd259f657a0faef76c93d13"
    )


ANOTHER = {
    "training_name": "other",
    "strategy": "FedMedian",
    "on_shortfall": "fail",
    "resume": "never",
    "checkpoint_path": "/other",
    "initial_checkpoint": "/srv/model.npz",
    "initial_sha256": "a" * 64,
    "weighting": "uniform",
    "variant": "paper",
    "lr_schedule": "cosine T_max=50",
    "server_lr_schedule": "step step_size=5",
    "mu_schedule": "exponential gamma=0.5",
    "spike_action": "rollback",
    "early_stopping_metric": "auc",
    "early_stopping_mode": "max",
    "code_change": "continue",
    "code_sha256": "b" * 64,
    "privacy": "local",
    "purpose": "smoke",
    **{row.name: not row.default for row in VARIABLES if row.type == "bool"},
    **{row.name: 4 for row in VARIABLES if row.type == "int"},
    **{row.name: 0.31 for row in VARIABLES if row.type == "float"},
    **dict.fromkeys(("max_weight_share", "spike_factor", "site_boost"), 1.31),
}


@pytest.mark.parametrize("row", VARIABLES, ids=lambda row: row.name)
def test_the_hash_changes_with_what_is_part_of_the_identity_and_applies(row):
    base = {"fl_strategy": row.strategies[0] if row.strategies else "FedAvg", "fl_min_available_clients": 11}
    before, after = (Training.from_variables(given) for given in (base, {**base, row.ansible: ANOTHER[row.name]}))
    assert before.values[row.name] != after.values[row.name]
    assert (before.configuration_hash != after.configuration_hash) == row.identity


def test_a_parameter_of_another_strategy_does_not_change_the_hash():
    plain, with_mu = (Training.from_variables(chosen) for chosen in ({}, {"fl_proximal_mu": 0.5}))
    assert plain.configuration_hash == with_mu.configuration_hash


@pytest.mark.parametrize(
    ("strategy", "server_lr", "client_lr"),
    [("FedAdam", 0.1, 0.1), ("FedAdagrad", 0.1, 0.1), ("FedYogi", 0.01, 0.0316), ("FedAvgM", 1.0, 0.1)],
)
def test_unset_means_the_default_of_the_strategy(strategy, server_lr, client_lr):
    values = Training.from_variables({"fl_strategy": strategy, "fl_server_lr": None, "fl_client_lr": " "}).values
    assert (values["server_lr"], values["client_lr"]) == (server_lr, client_lr)


@pytest.mark.parametrize(("runtime", "path"), [("venv", "/opt/flower/checkpoints"), ("container", "/app/checkpoints")])
def test_unset_means_the_default_of_the_runtime(runtime, path):
    assert Training.from_variables({}, runtime).values["checkpoint_path"] == path


def test_another_runtime_is_refused():
    with pytest.raises(FedopsError, match="runtime is 'vm' but must be one of " + ", ".join(RUNTIME_NAMES)):
        check({}, runtime="vm")


def test_the_parameters_of_a_strategy():
    variables = {"fl_strategy": "FedAdam", "fl_server_lr": 0.2, "fl_fraction_evaluate": 0}
    assert Training.from_variables(variables).strategy_parameters == {
        "fraction_train": 1.0,
        "fraction_evaluate": 0.0,
        "min_train_nodes": 2,
        "min_evaluate_nodes": 0,
        "min_available_nodes": 2,
        "eta": 0.2,
        "eta_l": 0.1,
        "tau": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.99,
    }


def test_the_server_app_speaks_of_keys():
    with pytest.raises(TrainingError) as caught:
        Training.from_run_config(
            {"strategy": "Krum", "num-server-rounds": 0, "min-available-clients": 1, "size-of-my-model": 3}
        )
    assert str(caught.value).splitlines() == [
        "num-server-rounds is 0 but must be at least 1. Correct it, or leave it unset for 3.",
        "min-available-clients is 1 but Krum needs at least 2 x num-malicious (0) + 3 = 3 clients. "
        "Set min-available-clients to 3 or more and have at least as many SuperNodes, or choose another strategy.",
    ]


@pytest.mark.parametrize(
    ("given", "rounds"),
    [
        ({"num-rounds": 7}, 7),
        ({"num-rounds": 7, "num-server-rounds": 3}, 7),  # what Flower makes of it: the second is the app's default
        ({"num-rounds": 0, "num-server-rounds": 7}, 7),
        ({"num-server-rounds": 7}, 7),
    ],
)
def test_a_run_configuration_of_the_first_release_is_still_read(given, rounds):
    assert Training.from_run_config(given).values["num_rounds"] == rounds


def test_what_an_app_of_the_first_release_publishes_is_still_compared():
    asked = Training.from_variables({"fl_num_rounds": 7})
    effective = {**effective_of(asked)}
    effective["run_config"] = {
        "num-rounds" if key == "num-server-rounds" else key: value for key, value in asked.run_config.items()
    }
    assert differences(asked, effective) == []


def test_a_complete_run_configuration_is_not_told_what_it_ignores():
    training = Training.from_variables({"fl_num_rounds": 9})
    again = Training.from_run_config(training.run_config)
    assert [problem.variable for problem in again.problems] == ["checkpoint-enabled"]


@pytest.mark.parametrize("call", [check, Training.from_variables, Training.from_run_config])
@pytest.mark.parametrize("given", [None, "fl_strategy", ["fl_strategy"], 3])
def test_what_is_not_a_dictionary_is_refused(call, given):
    with pytest.raises(FedopsError, match="A dictionary of variables is needed, but .* was given"):
        call(given)


@pytest.mark.parametrize(("value", "count"), [(None, None), ("", None), (0, 0), ("3", 3), (3.0, 3)])
def test_nodes_online_are_counted(value, count):
    assert node_count(value) == count


@pytest.mark.parametrize("value", [-1, "three", True, 2.5, []])
def test_nodes_online_that_are_no_number_are_refused(value):
    with pytest.raises(FedopsError, match="^nodes_online is .* but must be "):
        node_count(value)


def effective_of(training):
    """What a ServerApp publishes that does as it was told, after a way through JSON."""
    name = training.values["strategy"]
    return json.loads(
        json.dumps(
            {
                "training": training.values["training_name"],
                "configuration_hash": training.configuration_hash,
                "strategy": {
                    "name": name,
                    "class": f"flwr.serverapp.strategy.{name.lower()}.{name}",
                    "parameters": training.strategy_parameters,
                },
                "run_config": training.run_config,
            }
        )
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_does_as_it_was_told_does_not_differ(strategy):
    training = Training.from_variables({"fl_strategy": strategy, "fl_min_available_clients": 3})
    assert differences(training, effective_of(training)) == []


def test_every_difference_is_named():
    training = Training.from_variables({"fl_strategy": "FedProx"})
    effective = effective_of(training)
    effective["strategy"] |= {"name": "FedAvg", "class": "flwr.serverapp.strategy.fedavg.FedAvg"}
    effective["strategy"]["parameters"].pop("proximal_mu")
    effective["run_config"] |= {"num-server-rounds": 4, "checkpoint-enabled": 0, "more": 1}
    assert differences(training, effective) == [
        "The strategy was to be 'FedProx' and is 'FedAvg'.",
        "The class of the strategy was to be 'FedProx' and is 'FedAvg'.",
        "Parameter proximal_mu of the strategy was to be 1.0 and is missing.",
        "Run configuration key num-server-rounds was to be 3 and is 4.",
        "Run configuration key checkpoint-enabled was to be false and is 0.",
    ]


@given(st.dictionaries(st.sampled_from(["strategy", "run_config", "training"]), anything))
def test_whatever_a_run_reports_it_differs_without_a_traceback(effective):
    assert differences(Training.from_variables({}), effective)


def test_a_training_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Training.from_variables({}).values = {}


def test_what_was_made_harmless_on_the_way_is_still_what_was_asked() -> None:
    """A ServerApp's text reaches us without what a terminal acts on; so does what it is compared with."""
    training = Training.from_variables({})
    training = dataclasses.replace(training, values={**training.values, "checkpoint_path": "/srv/\u200dfamily"})
    effective = harmless_value(effective_of(training), CLAIM)
    assert effective["run_config"]["checkpoint-path"] == r"/srv/\u200dfamily"
    assert differences(training, effective) == []
