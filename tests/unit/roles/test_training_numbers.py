# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role training refuses before it touches a host."""

from __future__ import annotations

from functools import partial

import pytest

ASKED = {"training": {"checkpoint_enabled": True}, "provable": True, "app": "own.app"}
NUMBERS = {
    "training_attempts": 1,
    "training_session_interval": 0,
    "training_stall_timeout": 1,
    "training_restarts_per_hour": 1,
    "training_timeout": 0,
    "training_online_timeout": 0,
    "training_model_megabytes": 0,
}


@pytest.fixture
def problems(computed):
    return partial(computed, "training", "__training_problems", __training_asked=ASKED)


def test_the_defaults_and_the_least_of_each_are_accepted(problems) -> None:
    assert problems() == problems(training_mode="continuous") == []
    assert problems(**NUMBERS) == problems(**{name: str(least) for name, least in NUMBERS.items()}) == []


@pytest.mark.parametrize(("name", "least"), NUMBERS.items())
@pytest.mark.parametrize("below", [-1, "-0.5", "", "soon"])
def test_a_number_below_its_least_is_named_with_what_to_do(problems, name, least, below) -> None:
    (problem,) = problems(**{name: below})
    assert problem.startswith(f"{name} is {below} but must be a number, at least {least}. ")
    assert problem.split(". ", 1)[1].endswith(".")


def test_all_are_told_at_once(problems) -> None:
    asked = {"training": {"checkpoint_enabled": False}, "provable": False, "app": "own.app"}
    found = problems(
        **dict.fromkeys(NUMBERS, -1), training_mode="continuous", training_supervised="no", __training_asked=asked
    )
    assert [problem.split(" is ")[0] for problem in found[:8]] == [*NUMBERS, "training_supervised"]
    assert found[8:] == [
        f"training_mode is continuous but {problem}"
        for problem in (
            "fl_checkpoint_enabled is false. Set it to true: each session goes on from it.",
            "the app own.app publishes no result. Use the app of the collection (app_overlay exchanges its model), give"
            " your own the kit (app_kit), or set training_mode=once.",
        )
    ]


@pytest.mark.parametrize("given", [False, "false", "no"])
def test_who_wants_no_supervisor_is_told_what_serves_instead(problems, given) -> None:
    assert problems(training_supervised=given) == [
        "training_supervised is false, but every training is supervised now. Remove it, and set training_attempts to 1"
        " to give a training up after the first run that finishes no round."
    ]
    assert problems(training_supervised=True) == []
