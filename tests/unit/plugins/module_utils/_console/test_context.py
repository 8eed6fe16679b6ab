# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a context says about training, below what an operator says."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check
from ansible_collections.fedops.flower.plugins.module_utils._console.appliance import NOT_ABOUT_TRAINING
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context, merged, told


def test_a_context_becomes_variables() -> None:
    context = {
        "FL_STRATEGY": "FedAdam",
        "FL_CHECKPOINT_ENABLED": "YES",
        "FL_CHECKPOINT_KEEP_BEST": "NO",
        "ONEAPP_FL_NUM_ROUNDS": "10",
        "FL_SERVER_LR": "",
        "FL_SEED": "lucky",
        "FL_STRATGY": "Krum",
        "FLEET": "1",
        "ETH0_IP": "192.0.2.10",
        7: "seven",
    }
    assert from_context(context) == {
        "fl_strategy": "FedAdam",
        "fl_checkpoint_enabled": True,
        "fl_checkpoint_keep_best": False,
        "fl_num_rounds": 10,
        "fl_seed": "lucky",
        "fl_stratgy": "Krum",
    }


@pytest.mark.parametrize(("strategy", "rate"), [("FedAdam", 0.1), ("FedYogi", 0.01), ("FedAvgM", 1.0)], ids=str)
def test_the_default_of_a_console_is_that_of_the_strategy(strategy: str, rate: float) -> None:
    asked = {"FL_STRATEGY": strategy, "FL_SERVER_LR": "0.10"}
    assert Training.from_variables(from_context(asked)).values["server_lr"] == rate


def test_a_variable_that_is_set_wins_over_the_context_its_default_as_well() -> None:
    context = {"FL_STRATEGY": "FedAdam", "FL_NUM_ROUNDS": "10", "FL_TAU": "0.5", "FL_SEED": "7"}
    variables = {"fl_strategy": "FedAvg", "fl_num_rounds": 3, "fl_tau": None, "fl_seed": "", "fl_batch_size": 1}
    assert merged(context, variables) == {
        "fl_strategy": "FedAvg", "fl_num_rounds": 3, "fl_tau": 0.5, "fl_seed": 7, "fl_batch_size": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "runtime", "home", "found"),
    [
        ("/app/checkpoints", "venv", "/srv/flower", "/srv/flower/checkpoints"),
        ("/app/checkpoints/mine", "venv", "/srv/flower", "/srv/flower/checkpoints/mine"),
        ("/application", "venv", "/opt/flower", "/application"),
        ("/mnt/disk", "venv", "/opt/flower", "/mnt/disk"),
        ("/app/checkpoints/mine", "container", "/opt/flower", "/app/checkpoints/mine"),
    ],
)
def test_a_path_of_a_container_is_the_directory_that_is_mounted_there(path, runtime, home, found) -> None:
    given = from_context({"FL_CHECKPOINT_PATH": path}, runtime, home)
    assert Training.from_variables(given, runtime, home).values["checkpoint_path"] == found


@pytest.mark.parametrize("name", [*NOT_ABOUT_TRAINING, "FL_GPU", "ONEAPP_FL_LOG_LEVEL"])
def test_a_variable_of_the_appliance_is_told_and_is_no_error(name: str) -> None:
    context = {name: "x", "FL_STRATEGY": "FedProx"}
    assert from_context(context) == {"fl_strategy": "FedProx"}
    (problem,) = told(context)
    assert (problem.severity, problem.variable) == ("info", name.removeprefix("ONEAPP_"))
    assert problem.hint.endswith(".")


@pytest.mark.parametrize("name", ["FL_STRATGY", "FL_NUM_ROUND", "FL_CHECKPOINTS_ENABLED", "FL_MIN_FIT_CLIENT"])
def test_a_misspelt_variable_is_an_error(name: str) -> None:
    given = from_context({name: "3"})
    assert told({name: "3"}) == []
    assert [problem.severity for problem in check(given)][:1] == ["error"]


@pytest.mark.parametrize("value", ["digits", "none", "custom", "None", ""])
def test_no_use_case_is_none_that_is_set(value: str) -> None:
    assert from_context({"FL_USE_CASE": value}) == {}


@pytest.mark.parametrize("given", [None, "FL_STRATEGY", ["FL_STRATEGY"], 3])
def test_what_is_no_dictionary_is_refused(given: object) -> None:
    with pytest.raises(FedopsError, match="A dictionary of variables is needed, but .* was given"):
        from_context(given)
