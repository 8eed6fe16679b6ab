# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules: how they are written, and what they give. PyTorch's own are asked in tests/unit/fab."""

from __future__ import annotations

import math

import pytest
from ansible_collections.fedops.flower.plugins.filter.schedule import schedule
from ansible_collections.fedops.flower.plugins.module_utils._config.schedule_plot import PLOT_LINES, plotted
from ansible_collections.fedops.flower.plugins.module_utils._config.schedules import (
    SCHEDULES,
    Schedule,
    canonical_schedule,
    curve,
)
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training, check
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear_warmup start_factor=0.25 total_iters=3", [0.25, 0.5, 0.75, 1]),
        ("exponential gamma=0.5", [1, 0.5, 0.25, 0.125]),
        ("step step_size=2", [1, 1, 0.1, 0.1]),
        ("cosine T_max=2", [1, 0.5, 0, 0.5]),
        ("cosine T_max=2 eta_min=0.5", [1, 0.75, 0.5, 0.75]),
        ("cosine_warm_restarts T_0=2", [1, 0.5, 1, 0.5]),
        ("cosine_warm_restarts T_0=1 T_mult=2", [1, 1, 0.5, 1]),
        ("linear_warmup start_factor=0.5 total_iters=1 then exponential gamma=0.5", [0.5, 1, 0.5, 0.25]),
    ],
)
def test_the_first_rounds_of_each(text: str, expected: list[float]) -> None:
    assert curve(text, 1.0, 4) == pytest.approx(expected, abs=1e-15)


def test_a_plateau_lowers_the_rate_after_more_than_so_many_rounds() -> None:
    text = "reduce_on_plateau patience=1 factor=0.5 cooldown=1"
    losses = [1.0, 0.5, 0.5, math.nan, 0.5, 0.5, 0.5, 0.5]
    assert curve(text, 1.0, 9, losses) == [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert curve("linear_warmup total_iters=2 then " + text, 1.0, 7, losses)[2:] == [1, 1, 1, 0.5, 0.5]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("", "constant"),
        ("  constant ", "constant"),
        ("cosine  T_max=50", "cosine T_max=50 eta_min=0.0"),
        ("cosine eta_min=1e-3 T_max=50.0", "cosine T_max=50 eta_min=0.001"),
        (
            "linear_warmup then step step_size=3",
            f"linear_warmup start_factor={1 / 3} total_iters=5 then step step_size=3 gamma=0.1",
        ),
    ],
)  # fmt: skip
def test_there_is_one_way_to_write_it(written: str, canonical: str) -> None:
    assert canonical_schedule(written) == canonical == canonical_schedule(canonical)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("cosin T_max=5", f"must be a schedule, which begins with one of {', '.join(SCHEDULES)}"),
        ("cosine", "must be given T_max, as in cosine T_max=10"),
        ("cosine T_max=0", "must be right in T_max: must be"),
        ("cosine T_max=two", "must be right in T_max: must be a whole number"),
        ("cosine T_max=5 T_max=6", "must be cosine with nothing but T_max, eta_min, each once, as in T_max=1"),
        ("cosine T_max=5 gamma=6", "must be cosine with nothing but T_max, eta_min"),
        ("constant x=1", "must be constant without parameters"),
        ("exponential gamma=1.5", "must be right in gamma: must be above 0 and at most 1"),
        ("exponential gamma=nan", "must be right in gamma"),
        ("cosine T_max=5 then step step_size=1", "must be one schedule, or linear_warmup then another one"),
        ("linear_warmup then", "must be a schedule, which begins with one of"),
        ("linear_warmup then linear_warmup", "must be one schedule, or"),
    ],
)
def test_what_is_no_schedule_says_what_it_must_be(text: str, rule: str) -> None:
    with pytest.raises(BadValue, match=f"^{rule}"):
        Schedule.of(text)
    (problem,) = check({"fl_lr_schedule": text})
    assert (problem.severity, problem.variable) == ("error", "fl_lr_schedule")
    assert rule in problem.message


@pytest.mark.parametrize("nothing", ["", None, "constant", " constant "])
def test_an_empty_answer_changes_nothing(nothing: str | None) -> None:
    training = Training.from_variables({"fl_lr_schedule": nothing, "fl_server_lr_schedule": nothing})
    assert training.values["lr_schedule"] == "constant"
    assert training.configuration_hash == Training.from_variables({}).configuration_hash


def test_two_spellings_are_one_training_and_two_schedules_are_two() -> None:
    hashes = [
        Training.from_variables({"fl_lr_schedule": text}).configuration_hash
        for text in ("cosine T_max=50", "cosine   eta_min=0 T_max=50.0", "cosine T_max=51", "constant")
    ]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_a_schedule_survives_the_run_configuration() -> None:
    training = Training.from_variables({"fl_strategy": "FedProx", "fl_mu_schedule": "step step_size=5"})
    assert Training.from_run_config(training.run_config).configuration_hash == training.configuration_hash


def test_the_filter_gives_the_rates_or_a_picture() -> None:
    assert schedule("exponential gamma=0.5", "2", rounds="3") == [2, 1, 0.5]
    assert schedule(None, rounds=2) == [1, 1]
    assert schedule("step step_size=1 gamma=0.5", 1, rounds=2, plot=True).splitlines() == [
        "1  1            " + "#" * 60,
        "2  0.5          " + "#" * 30,
    ]
    assert schedule("reduce_on_plateau patience=0", 1, 3, ["1", 1.0, 1.0]) == pytest.approx([1, 1, 0.1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("cosine",), "The schedule is 'cosine' but must be given T_max"),
        (("constant", "fast"), "These are not the rate"),
        (("constant", 1, 0), "rounds is 0 but must be from 1 to"),
    ],
)
def test_the_filter_says_what_is_wrong(given: tuple, words: str) -> None:
    from ansible.errors import AnsibleFilterError

    with pytest.raises(AnsibleFilterError, match=words):
        schedule(*given)


def test_a_long_picture_has_its_first_round_and_its_last() -> None:
    lines = plotted(curve("cosine T_max=999", 1.0, 1000)).splitlines()
    assert len(lines) == PLOT_LINES
    assert (lines[0].split()[0], lines[-1].split()[0]) == ("1", "1000")
    assert plotted([0.0, 0.0]).splitlines() == ["1  0", "2  0"]
