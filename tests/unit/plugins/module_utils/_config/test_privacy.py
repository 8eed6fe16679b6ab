# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training that is to be private is held to."""

from __future__ import annotations

import math

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.privacy import (
    Privacy,
    has_spent,
    influence,
    is_mean,
    privacy_end,
    spent_text,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.privacy_rules import READS
from ansible_collections.fedops.flower.plugins.module_utils._config.stopping import stopping_text
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import STRATEGIES
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check

CENTRAL = {"fl_privacy": "central_fixed", "fl_weighting": "uniform", "fl_num_rounds": 1}
ADAPTIVE = {**CENTRAL, "fl_privacy": "central_adaptive"}
LOCAL = {"fl_privacy": "local", "fl_num_rounds": 1}


def said(variables):
    return [(problem.severity, problem.variable) for problem in check(variables)]


def messages(variables):
    return "\n".join(problem.message for problem in check(variables))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (CENTRAL, []),
        (ADAPTIVE, []),
        (LOCAL, []),
        ({**CENTRAL, "fl_weighting": "examples"}, [("error", "fl_weighting")]),
        ({"fl_privacy": "central_adaptive", "fl_num_rounds": 1}, [("error", "fl_weighting")]),
        ({**CENTRAL, "fl_strategy": "QFedAvg"}, [("error", "fl_strategy")]),
        ({**LOCAL, "fl_strategy": "QFedAvg"}, []),
        ({**CENTRAL, "fl_nnm_malicious": 1, "fl_min_available_clients": 5, "fl_min_fit_clients": 5},
         [("error", "fl_nnm_malicious")]),
        ({**CENTRAL, "fl_strategy": "FedMedian"}, [("warning", "fl_strategy")]),
        ({**LOCAL, "fl_strategy": "FedMedian"}, []),
        ({**CENTRAL, "fl_privacy_noise_multiplier": 0}, [("warning", "fl_privacy_noise_multiplier")]),
        ({**CENTRAL, "fl_privacy_noise_multiplier": 0, "fl_privacy_epsilon_budget": 8},
         [("error", "fl_privacy_noise_multiplier")]),
        ({**LOCAL, "fl_privacy_noise_multiplier": "0", "fl_privacy_epsilon_budget": "8"},
         [("error", "fl_privacy_noise_multiplier")]),
        ({**CENTRAL, "fl_privacy_epsilon_budget": 8}, []),
        ({**CENTRAL, "fl_privacy_epsilon_budget": 1}, [("error", "fl_privacy_epsilon_budget")]),
        ({**CENTRAL, "fl_privacy_epsilon_budget": 8, "fl_num_rounds": 5}, [("warning", "fl_privacy_epsilon_budget")]),
        ({**CENTRAL, "fl_privacy_seed": 1}, [("warning", "fl_privacy_seed")]),
        ({**CENTRAL, "fl_fraction_train": 0.5}, [("info", "fl_fraction_train")]),
        ({**ADAPTIVE, "fl_privacy_count_stddev": 0.5}, [("error", "fl_privacy_count_stddev")]),
        ({**ADAPTIVE, "fl_privacy_count_stddev": 0.51}, []),
        ({**CENTRAL, "fl_privacy_count_stddev": 0.5}, []),
        ({**CENTRAL, "fl_spike_factor": 2}, [("warning", "fl_spike_factor")]),
        ({**CENTRAL, "fl_lr_schedule": "reduce_on_plateau"}, [("warning", "fl_lr_schedule")]),
        ({**CENTRAL, "fl_lr_schedule": "cosine T_max=5"}, []),
        ({**LOCAL, "fl_spike_factor": 2}, []),
        ({**CENTRAL, "fl_privacy_clipping_norm": 0}, [("error", "fl_privacy_clipping_norm")]),
        ({**CENTRAL, "fl_privacy_clipping_norm": -1}, [("error", "fl_privacy_clipping_norm")]),
        ({**CENTRAL, "fl_privacy_clipping_norm": "nan"}, [("error", "fl_privacy_clipping_norm")]),
        ({**CENTRAL, "fl_privacy_noise_multiplier": -0.1}, [("error", "fl_privacy_noise_multiplier")]),
        ({**CENTRAL, "fl_privacy_delta": 0}, [("error", "fl_privacy_delta")]),
        ({**CENTRAL, "fl_privacy_delta": 1}, [("error", "fl_privacy_delta")]),
        ({**CENTRAL, "fl_privacy_target_quantile": 1}, [("error", "fl_privacy_target_quantile")]),
        ({"fl_privacy_clipping_norm": 0}, [("info", "fl_privacy_clipping_norm")]),
        ({"fl_privacy": "", "fl_privacy_seed": None, "fl_privacy_delta": " "}, []),
    ],
)  # fmt: skip
def test_what_cannot_keep_its_promise_is_refused(variables, expected):
    assert said(variables) == expected


def test_it_says_what_to_do():
    assert "For 100 rounds, set fl_privacy_noise_multiplier to 6.4 or more" in messages({
        **CENTRAL, "fl_num_rounds": 100, "fl_privacy_epsilon_budget": 8, "fl_checkpoint_enabled": True,
    })  # fmt: skip
    enough = {"fl_num_rounds": 100, "fl_privacy_epsilon_budget": 8, "fl_checkpoint_enabled": True}
    assert said({**CENTRAL, **enough, "fl_privacy_noise_multiplier": 6.4}) == []
    assert "one round alone spends 4.729" in messages({**CENTRAL, "fl_privacy_epsilon_budget": 1})


@pytest.mark.parametrize("name", ["secagg", "SecAgg+", "secure_aggregation"])
def test_secure_aggregation_is_refused_by_name(name):
    for variables in ({"fl_privacy": name}, {"fl_secagg": True}, {"fl_secure_aggregation": "yes"}):
        assert "Secure aggregation (SecAgg+) is not there: Flower has it for its former ServerApps" in messages(
            variables
        )


def privacy(**variables):
    return Privacy.of(Training.from_variables({**CENTRAL, **variables}).values)


def test_a_run_configuration_says_the_same():
    training = Training.from_variables({**CENTRAL, "fl_privacy_seed": 3})
    assert Privacy.in_run_config(training.run_config) == Privacy.of(training.values) == privacy(fl_privacy_seed=3)
    assert Privacy.of(Training.from_variables({}).values) is None
    assert Privacy.in_run_config({}) is None


def test_what_decides_bytes_is_part_of_the_training():
    base = Training.from_variables(CENTRAL).configuration_hash
    for name, another in (("delta", 0.1), ("epsilon_budget", 9)):
        assert Training.from_variables({**CENTRAL, f"fl_privacy_{name}": another}).configuration_hash == base
    for name in ("noise_multiplier", "clipping_norm", "clip_lr", "seed"):
        assert Training.from_variables({**CENTRAL, f"fl_privacy_{name}": 4}).configuration_hash != base


def test_the_norm_follows_the_quantile_and_stays_a_number():
    adaptive = privacy(fl_privacy="central_adaptive", fl_privacy_clip_lr=10)
    assert adaptive.adapted(1.0, 0.5) == 1.0
    assert adaptive.adapted(1.0, 0.0) == pytest.approx(math.exp(5))
    assert adaptive.adapted(1.0, 1.0) == pytest.approx(math.exp(-5))
    assert adaptive.adapted(1e12, 0.0) == 1e12
    assert adaptive.adapted(1e-12, 1.0) == 1e-12


@pytest.mark.parametrize("name", STRATEGIES)
def test_how_far_a_site_can_move_what_a_strategy_makes(name):
    values = Training.from_variables({"fl_strategy": name, "fl_min_available_clients": 11}).values
    found = influence(STRATEGIES[name], 11, values)
    assert found == (1 / 11 if name == "QFedAvg" or is_mean(name) else pytest.approx(found))
    assert is_mean(name) or name == "QFedAvg" or 2 <= found <= 2 * math.sqrt(2)


def test_what_is_told():
    told = {"kind": "central_fixed", "epsilon": 7.9711, "epsilon_budget": 8.0, "delta": 1e-5, "ended": True}
    event = {"round": 22, "privacy": told}
    assert spent_text(event) == "epsilon 7.971 of 8 is spent (central_fixed, delta 1e-05)"
    assert (
        stopping_text(event)
        == privacy_end(event)
        == (
            "stopped after round 22, as one more would exceed the privacy budget: epsilon 7.971 of 8 is spent"
            " (central_fixed, delta 1e-05)"
        )
    )
    assert privacy_end({"privacy": {**told, "ended": False}}) == ""
    assert spent_text({}) == "" == spent_text({"privacy": 3}) == privacy_end({})
    assert "no epsilon" in spent_text({"privacy": {**told, "epsilon": None}})
    assert "NOT PRIVATE" in spent_text({"privacy": {**told, "seed": 4}})
    assert spent_text({"privacy": {"epsilon": 1}}) == "epsilon 1 is spent (None)"


def test_a_result_is_the_end_that_just_this_budget_gives():
    wanted = privacy(fl_privacy_epsilon_budget=8)
    assert has_spent({"privacy": {**wanted.told, "over": True}}, wanted)
    assert not has_spent({"privacy": {**wanted.told, "over": False}}, wanted)
    assert not has_spent({"privacy": {**wanted.told, "over": True}}, privacy(fl_privacy_epsilon_budget=9))
    assert not has_spent({"privacy": {**wanted.told, "over": True}}, None)
    assert not has_spent({}, wanted)


def test_the_rules_read_all_of_it():
    assert {row.name for row in BY_NAME.values() if row.group == "privacy"} <= READS
