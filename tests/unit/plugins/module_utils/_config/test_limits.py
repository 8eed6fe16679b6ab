# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.limits import (
    DEFAULT,
    NUMBERS,
    first_round_timeout,
    range_problems,
    supervision_problems,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME


@pytest.mark.parametrize(("name", "least"), [(name, row.least) for name, row in NUMBERS.items()])
def test_the_least_is_accepted_and_nothing_below_it(name, least) -> None:
    assert range_problems({name: least}) == range_problems({name: None}) == range_problems({}) == []
    for value in (least - 1, float("nan"), float("inf")):
        (problem,) = range_problems({name: value, "other": -1})
        assert problem.startswith(f"{name} is {value} but must be a number, at least {least}. ")
        assert problem.endswith(NUMBERS[name].advice.format(default=NUMBERS[name].default))


def test_all_problems_are_told_in_the_order_of_the_table() -> None:
    assert [problem.split()[0] for problem in range_problems(dict.fromkeys(NUMBERS, -1))] == list(NUMBERS)


def test_the_first_round_has_the_time_that_the_other_defaults_give_it() -> None:
    training = {name: BY_NAME[name].default for name in ("node_wait_timeout", "round_timeout")}
    assert DEFAULT["first_round_timeout"] == first_round_timeout(training, DEFAULT["stall_timeout"])


def test_a_training_without_an_end_is_not_ended_early() -> None:
    asked = {"training": {"checkpoint_enabled": True, "early_stopping_patience": 3}, "provable": True}
    (problem,) = supervision_problems({"mode": "continuous"}, asked)
    assert problem.startswith("training_mode is continuous but fl_early_stopping_patience is set")
    assert supervision_problems({"mode": "once"}, asked) == []
    asked = {
        "training": {"checkpoint_enabled": True, "privacy": "local", "privacy_epsilon_budget": 8},
        "provable": True,
    }
    (problem,) = supervision_problems({"mode": "continuous"}, asked)
    assert problem.startswith("training_mode is continuous but fl_privacy_epsilon_budget is set")
    asked["training"]["privacy"] = "none"
    assert supervision_problems({"mode": "continuous"}, asked) == []


def test_a_default_is_at_least_the_least() -> None:
    assert range_problems(DEFAULT) == []
