# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about several variables together."""

from __future__ import annotations

import re

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.rules import related
from ansible_collections.fedops.flower.plugins.module_utils._config.situation import Problem, Situation, worst_first
from ansible_collections.fedops.flower.plugins.module_utils._config.sizing import Room, memory_needed
from ansible_collections.fedops.flower.plugins.module_utils._config.strategies import STRATEGIES, listed, readers
from ansible_collections.fedops.flower.plugins.module_utils._config.table import VARIABLES
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check
from hypothesis import given
from hypothesis import strategies as st


def said(variables, **situation):
    return [(problem.severity, problem.variable) for problem in check(variables, **situation)]


def messages(variables, **situation):
    return [problem.message for problem in check(variables, **situation)]


def krum(malicious, available, **more):
    return {"fl_strategy": "Krum", "fl_num_malicious": malicious, "fl_min_available_clients": available, **more}


def bulyan(malicious, available):
    return {**krum(malicious, available), "fl_strategy": "Bulyan"}


RAISED = [("info", "fl_min_available_clients")]
TOO_FEW = [("error", "fl_min_available_clients")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"fl_strategy": "Krum"}, RAISED),
        ({"fl_strategy": "Krum", "fl_min_available_clients": 2, "fl_min_fit_clients": "2"}, RAISED),  # as a survey says
        ({"fl_strategy": "MultiKrum", "fl_num_malicious": 1, "fl_num_nodes_to_select": 5}, RAISED),
        ({"fl_strategy": "Krum", "fl_fraction_train": 0.5}, [*RAISED, ("info", "fl_min_fit_clients")]),
        ({"fl_strategy": "Krum", "fl_num_malicious": 1, "fl_min_fit_clients": 3}, RAISED),
        (krum(0, 3), []),
        (krum(1, 4), TOO_FEW),
        (krum(1, 5), []),
        ({**krum(1, 4), "fl_strategy": "MultiKrum"}, TOO_FEW),
        (bulyan(0, 2), RAISED),
        (bulyan(1, 3), TOO_FEW),
        (bulyan(1, 6), TOO_FEW),
        (bulyan(1, 7), []),
        (krum(1, 10, fl_fraction_train=0.3), [("info", "fl_min_fit_clients")]),
        (krum(1, 10, fl_fraction_train=0.3, fl_min_fit_clients=4), [("error", "fl_fraction_train")]),
        (krum(1, 10, fl_fraction_train=0.3, fl_min_fit_clients=5), []),
        (
            {
                "fl_strategy": "MultiKrum",
                "fl_min_available_clients": 5,
                "fl_num_malicious": 1,
                "fl_num_nodes_to_select": 4,
            },
            [],
        ),
        (
            {
                "fl_strategy": "MultiKrum",
                "fl_min_available_clients": 5,
                "fl_num_malicious": 1,
                "fl_num_nodes_to_select": 5,
            },
            [("error", "fl_num_nodes_to_select")],
        ),
        (
            {
                "fl_strategy": "MultiKrum",
                "fl_min_available_clients": 10,
                "fl_fraction_train": 0.4,
                "fl_min_fit_clients": 5,
                "fl_num_malicious": 1,
                "fl_num_nodes_to_select": 5,
            },
            [("error", "fl_num_nodes_to_select")],
        ),
        ({"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 4}, [("warning", "fl_trim_beta")]),
        ({"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 5}, []),
        ({"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 4, "fl_trim_beta": 0.25}, []),
        ({"fl_nnm_malicious": 1}, RAISED),
        ({"fl_nnm_malicious": 2, "fl_min_available_clients": 5}, []),
        ({"fl_nnm_malicious": 2, "fl_min_available_clients": 4}, TOO_FEW),
        (
            {"fl_nnm_malicious": 2, "fl_min_available_clients": 9, "fl_fraction_train": 0.4, "fl_min_fit_clients": 3},
            [("error", "fl_fraction_train")],
        ),
        ({**krum(1, 5), "fl_nnm_malicious": 2}, []),
        ({**krum(1, 5), "fl_nnm_malicious": 3}, TOO_FEW),
        ({"fl_num_rounds": 5}, []),
        ({"fl_num_rounds": 6}, [("warning", "fl_checkpoint_enabled")]),
        ({"fl_num_rounds": 6, "fl_checkpoint_enabled": "YES"}, []),
        ({"fl_resume": "require"}, [("error", "fl_resume")]),
        ({"fl_resume": "require", "fl_checkpoint_enabled": True}, []),
        ({"fl_min_fit_clients": 3}, [("warning", "fl_min_fit_clients")]),
        ({"fl_min_evaluate_clients": 3}, [("warning", "fl_min_evaluate_clients")]),
        ({"fl_min_evaluate_clients": 3, "fl_fraction_evaluate": 0}, []),
        ({"fl_strategy": "FedProx"}, [("info", "fl_strategy")]),
        ({"fl_strategy": "FedProx", "fl_proximal_mu": 0}, [("warning", "fl_proximal_mu"), ("info", "fl_strategy")]),
        ({"fl_strategy": "FedAvgM"}, []),
        ({"fl_strategy": "FedAvgM", "fl_server_momentum": 0}, [("warning", "fl_server_momentum")]),
        ({"fl_proximal_mu": 1.0}, [("info", "fl_proximal_mu")]),
        ({"fl_proximal_mu": ""}, []),
        ({"fl_strategy": "FedAdam", "fl_tau": 0.01, "fl_trim_beta": 0.1}, [("info", "fl_trim_beta")]),
        ({"fl_trim_beta": 0.9}, [("warning", "fl_trim_beta")]),
        ({"fl_trim_beta": 0.9, "fl_strategy": "Krumm"}, [("error", "fl_strategy"), ("error", "fl_trim_beta")]),
        ({"fl_checkpoint_interval": 0}, [("info", "fl_checkpoint_interval")]),
        ({"fl_checkpoint_interval": 0, "fl_checkpoint_enabled": True}, [("error", "fl_checkpoint_interval")]),
    ],
)
def test_what_is_said_before_submission(variables, expected):
    assert said(variables) == expected


def test_who_needs_more_clients_is_named_with_what_to_lower():
    (told,) = messages({"fl_nnm_malicious": 2, "fl_min_available_clients": 4})
    assert told == (
        "fl_min_available_clients is 4 but nearest-neighbour mixing needs at least 2 x fl_nnm_malicious (2) + 1 = 5"
        " clients. Set fl_min_available_clients to 5 or more and have at least as many SuperNodes, or lower"
        " fl_nnm_malicious to 1."
    )
    (told,) = messages(krum(2, 6))
    assert told.endswith("or lower fl_num_malicious to 1, or choose another fl_strategy.")


@pytest.mark.parametrize(
    ("variables", "online", "expected"),
    [
        ({}, 2, []),
        (
            {},
            1,
            [
                ("error", "fl_min_available_clients"),
                ("error", "fl_min_fit_clients"),
                ("error", "fl_min_evaluate_clients"),
            ],
        ),
        ({"fl_fraction_evaluate": 0, "fl_min_available_clients": 1, "fl_min_fit_clients": 1}, 1, []),
        (krum(1, 5), 5, []),
        (krum(1, 5), 4, [("error", "fl_num_malicious"), ("error", "fl_min_available_clients")]),
        (
            {"fl_nnm_malicious": 2, "fl_min_available_clients": 5},
            4,
            [("error", "fl_nnm_malicious"), ("error", "fl_min_available_clients")],
        ),
        ({"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 2}, 5, []),
        ({"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 2}, 4, [("warning", "fl_trim_beta")]),
    ],
)
def test_what_is_said_with_the_nodes_that_are_online(variables, online, expected):
    assert said(variables, nodes_online=online) == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"fl_trim_beta": 0.7, "fl_strategy": "FedTrimmedAvg"},
            "fl_trim_beta is 0.7 but must be above 0 and below 0.5. Correct it, or leave it unset for 0.2.",
        ),
        (
            {"fl_server_lr": 0, "fl_strategy": "FedYogi"},
            "fl_server_lr is 0 but must be above 0. Correct it, or leave it unset for 0.01.",
        ),
        (
            {"fl_strategy": "Krum"},
            "fl_min_available_clients is 2 but Krum needs 3 clients, so that it is raised to 3. "
            "Have at least 3 SuperNodes online.",
        ),
        (
            {**bulyan(0, 1), "fl_min_fit_clients": 1, "fl_min_evaluate_clients": 1},
            "fl_min_available_clients is 1 but Bulyan needs at least 4 x fl_num_malicious (0) + 3 = 3 clients. "
            "Set fl_min_available_clients to 3 or more and have at least as many SuperNodes, "
            "or choose another fl_strategy.",
        ),
        (
            {"fl_trim_beta": "0.9"},
            "fl_trim_beta is '0.9' but must be above 0 and below 0.5; FedAvg ignores it. "
            "It is a parameter of FedTrimmedAvg.",
        ),
        (
            {"fl_checkpoint_interval": 0},
            "fl_checkpoint_interval is 0 but must be at least 1; it has no effect while fl_checkpoint_enabled is "
            "false. Correct it before you set fl_checkpoint_enabled to true.",
        ),
        (
            {"fl_checkpoint_keep_last": "x"},
            "fl_checkpoint_keep_last is 'x' but must be a whole number, at least 0; it has no effect while "
            "fl_checkpoint_enabled is false. Correct it before you set fl_checkpoint_enabled to true.",
        ),
        (
            {"fl_resume_round": 7},
            "fl_resume_round is 7 but no training variable has this name. A training resumes after its newest good "
            "checkpoint by itself, with the round that it has. Remove fl_resume_round; fl_resume says whether it "
            "resumes (auto), begins anew (never) or fails without a checkpoint (require).",
        ),
        (
            krum(2, 6),
            "fl_min_available_clients is 6 but Krum needs at least 2 x fl_num_malicious (2) + 3 = 7 clients. "
            "Set fl_min_available_clients to 7 or more and have at least as many SuperNodes, "
            "or lower fl_num_malicious to 1, or choose another fl_strategy.",
        ),
        (
            {"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": 3},
            "fl_trim_beta is 0.2 but int(0.2 x 3) is 0, so that nothing is trimmed. Have 5 clients or "
            "more train in a round, set fl_trim_beta to at least 0.3334, or use FedMedian.",
        ),
        (
            {"fl_tau": "0.5"},
            f"fl_tau is 0.5 but FedAvg ignores it. It is a parameter of {listed(readers('tau'))}.",
        ),
        (
            {"fl_stratgy": "Krum"},
            "fl_stratgy is 'Krum' but no training variable has this name. Did you mean fl_strategy?",
        ),
        ({"strategy": "Krum"}, "strategy is 'Krum' but no training variable has this name. Did you mean fl_strategy?"),
        ({"fl_q": 1}, "fl_q is 1 but no training variable has this name. Did you mean fl_qfedavg_q?"),
        (
            {"fl_colour": "red"},
            "fl_colour is 'red' but no training variable has this name. "
            "Remove it; docs/variables.md lists those that exist.",
        ),
        (
            {"fl_strategy": "fedprox"},
            f"fl_strategy is 'fedprox' but must be one of {', '.join(STRATEGIES)}. Did you mean FedProx?",
        ),
    ],
)
def test_a_message_names_the_variable_its_value_the_rule_and_what_to_do(variables, message):
    assert messages(variables) == [message]


def test_a_minimum_that_is_raised_is_part_of_the_training_and_stays_as_it_is_when_it_is_read_again():
    asked = Training.from_variables({"fl_strategy": "Krum", "fl_num_malicious": 1, "fl_fraction_train": 0.5})
    assert (asked.values["min_available_clients"], asked.values["min_fit_clients"]) == (5, 5)
    again = Training.from_run_config(asked.run_config)
    assert (again.values, again.configuration_hash) == (asked.values, asked.configuration_hash)


def test_a_stale_parameter_of_another_strategy_leaves_the_training_what_it_is():
    stale, plain = (Training.from_variables(given) for given in ({"fl_trim_beta": 0.9}, {}))
    assert (stale.values, stale.configuration_hash) == (plain.values, plain.configuration_hash)


def test_the_advice_to_lower_the_malicious_clients_is_right():
    assert messages(krum(1, 5)) == []
    assert messages(krum(1, 6)) == []


@given(replies=st.integers(3, 40))
def test_the_advised_beta_does_trim(replies):
    variables = {"fl_strategy": "FedTrimmedAvg", "fl_min_available_clients": replies, "fl_trim_beta": 0.001}
    advice = messages(variables)[0].partition("set fl_trim_beta to at least ")[2].partition(",")[0]
    assert messages({**variables, "fl_trim_beta": advice}) == []


def test_all_problems_come_at_once_and_the_worst_first():
    variables = {"fl_tau": 1, "fl_num_rounds": 0, "fl_min_fit_clients": 9, "fl_trim_bta": 1, "fl_seed": -1}
    assert said(variables) == [
        ("error", "fl_trim_bta"),
        ("error", "fl_num_rounds"),
        ("error", "fl_seed"),
        ("warning", "fl_min_fit_clients"),
        ("info", "fl_tau"),
    ]


def test_the_worst_comes_first_and_equals_keep_their_order():
    given = [
        Problem(severity, str(place), 1, "", "") for place, severity in enumerate(["info", "error", "warning"] * 2)
    ]
    assert [problem.variable for problem in worst_first(given)] == ["1", "4", "2", "5", "0", "3"]


def test_arithmetic_is_not_done_with_bad_values():
    assert said({"fl_strategy": "Krum", "fl_num_malicious": "some"}) == [("error", "fl_num_malicious")]


def test_a_problem_can_be_carried_by_json():
    problem = Problem("error", "fl_seed", float("nan"), "must be a number", "Correct it.")
    assert problem.as_dict() == {
        "severity": "error",
        "variable": "fl_seed",
        "value": "nan",
        "rule": "must be a number",
        "hint": "Correct it.",
        "message": "fl_seed is nan but must be a number. Correct it.",
    }


def test_attacks_that_are_allowed_are_warned_of() -> None:
    (problem,) = check({"fl_demo_attacks": True})
    assert (problem.severity, problem.variable) == ("warning", "fl_demo_attacks")
    assert check({"fl_demo_attacks": False}) == []


MB = 10**6
PLENTY = 1000 * 10**9


def room(model=100, memory=PLENTY, storage=PLENTY):
    return {"room": Room(model * MB, memory, storage)}


@pytest.mark.parametrize(
    ("more", "free", "expected"),
    [
        ({}, 500, []),  # three and the best are kept, one is being written
        ({}, 499, ["fl_checkpoint_keep_last"]),
        ({"fl_checkpoint_keep_best": False}, 400, []),
        ({"fl_strategy": "FedAdam"}, 1499, ["fl_checkpoint_keep_last"]),  # and two moments of the model's size
        ({"fl_strategy": "FedAdam"}, 1500, []),
        ({"fl_num_rounds": 4, "fl_checkpoint_interval": 2}, 200, []),  # there are no more than two
        ({"fl_checkpoint_keep_last": 0}, 1999, ["fl_checkpoint_keep_last"]),  # all twenty are kept
        ({"fl_checkpoint_keep_last": 0}, 2000, []),
        ({"fl_checkpoint_enabled": False}, 0, ["fl_checkpoint_enabled"]),  # a warning of something else
    ],
)
def test_what_retention_keeps_must_have_room(more, free, expected):
    variables = {"fl_num_rounds": 20, "fl_checkpoint_interval": 1, "fl_checkpoint_enabled": True, **more}
    found = check(variables, **room(storage=free * MB))
    assert [problem.variable for problem in found if problem.severity != "info"] == expected


def test_too_little_storage_says_what_to_do():
    variables = {"fl_num_rounds": 20, "fl_checkpoint_interval": 1, "fl_checkpoint_enabled": True}
    assert messages(variables, **room(storage=350 * MB)) == [
        "fl_checkpoint_keep_last is 3 but 5 checkpoints of 100 MB, the one that is being written included, need 500 MB,"
        " and /opt/flower/checkpoints has room for 350 MB. Make room there, set fl_checkpoint_keep_last to 1, or set"
        " fl_checkpoint_path to a larger storage."
    ]
    assert "Make room there, or set fl_checkpoint_path" in messages(variables, **room(storage=250 * MB))[0]


def test_what_a_round_aggregates_must_fit_into_memory():
    variables = {"fl_min_fit_clients": 2, "fl_min_available_clients": 2, "fl_checkpoint_enabled": True}
    memory = memory_needed(500 * MB, 10)
    assert said(variables, nodes_online=10, **room(500, memory)) == []
    assert said(variables, nodes_online=11, **room(500, memory)) == [("error", "fl_fraction_train")]
    assert said({**variables, "fl_fraction_train": 0.5}, nodes_online=20, **room(500, memory)) == []
    (told,) = messages(variables, nodes_online=11, **room(500, memory))
    assert told.startswith("fl_fraction_train is 1.0 but the replies to a round, 11 x 500 MB, need ")
    assert told.endswith("Give it more memory, or have at most 10 clients train in a round.")
    assert (
        said({**variables, "fl_min_fit_clients": 11}, nodes_online=11, **room(500, memory))
        == [
            ("warning", "fl_min_fit_clients"),
            ("error", "fl_min_fit_clients"),
        ][::-1]
    )
    assert "does not suffice for one reply" in messages(variables, nodes_online=2, **room(500, 10**9))[0]


@given(
    st.integers(1, 10**13), st.integers(1, 10**13), st.integers(0, 10**13), st.integers(0, 50), st.integers(1, 10**4)
)
def test_whatever_the_room_the_advice_is_enough(model, memory, storage, keep_last, rounds):
    variables = {
        "fl_num_rounds": rounds, "fl_checkpoint_interval": 1, "fl_checkpoint_enabled": True,
        "fl_checkpoint_keep_last": keep_last, "fl_min_available_clients": 9, "fl_min_fit_clients": 1,
    }  # fmt: skip
    for problem in check(variables, nodes_online=9, room=Room(model, memory, storage)):
        if advised := re.search(r"set fl_checkpoint_keep_last to (\d+)", problem.hint):
            better = check(
                {**variables, "fl_checkpoint_keep_last": advised.group(1)}, room=Room(model, PLENTY**2, storage)
            )
            assert [found for found in better if found.severity == "error"] == []
        if advised := re.search(r"at most (\d+) clients", problem.hint):
            assert memory_needed(model, int(advised.group(1))) <= memory < memory_needed(model, 9)


def test_a_rule_is_silent_while_a_variable_that_it_reads_has_no_good_value() -> None:
    values = {row.name: row.default for row in VARIABLES} | {"strategy": "Krum", "num_malicious": 1}
    known = {name: value for name, value in values.items() if name != "num_malicious"}
    with_it, without = (
        related(Situation(each, frozenset(each), 3, lambda row: row.ansible)) for each in (values, known)
    )
    assert "fl_num_malicious" in str(with_it)
    assert "fl_num_malicious" not in str(without)


EARLY = {"fl_early_stopping_patience": 5, "fl_num_rounds": 50, "fl_checkpoint_enabled": True}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, ""),
        ({"fl_num_rounds": 5}, "it ends no training of 5 rounds before its last"),
        ({"fl_early_stopping_warmup_rounds": 45}, "with 45 rounds of warm-up it ends no training of 50 rounds"),
        ({"fl_checkpoint_enabled": False, "fl_checkpoint_interval": 50}, "neither the best model nor the last one"),
        ({"fl_fraction_evaluate": 0}, "it depends on the server's own test set"),
        ({"fl_early_stopping_patience": 0, "fl_fraction_evaluate": 0, "fl_num_rounds": 1}, ""),
    ],
)
def test_early_stopping_that_ends_nothing_or_keeps_nothing_is_a_warning(changes, rule) -> None:
    found = [problem for problem in check({**EARLY, **changes}) if problem.variable == "fl_early_stopping_patience"]
    assert [problem.severity for problem in found] == ["warning"] * bool(rule)
    assert all(rule in problem.message for problem in found)


def test_a_setting_of_early_stopping_is_not_judged_while_it_is_off() -> None:
    wrong = {"fl_early_stopping_min_delta": -1}
    (problem,) = check(wrong)
    assert problem.severity == "info"
    assert "it has no effect while fl_early_stopping_patience is 0. Correct it before you set" in problem.message
    assert said({**EARLY, **wrong}) == [("error", "fl_early_stopping_min_delta")]
