# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the role training refuses before it touches a host."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[3] / "roles" / "training"
DEFAULTS = yaml.safe_load((ROLE / "defaults/main/main.yml").read_text())
PROBLEMS = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__training_number_problems"]


def problems(**variables: object) -> list[str]:
    templar = Templar(loader=DataLoader(), variables={**DEFAULTS, **variables})
    return templar.template(trust_as_template(PROBLEMS))


def test_the_defaults_and_the_least_of_each_are_accepted() -> None:
    assert problems() == []
    least = {"training_attempts": 1, "training_stall_timeout": "1", "training_restarts_per_hour": 1}
    assert problems(**least, training_session_interval=0, training_timeout="0", training_online_timeout=0) == []


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("training_attempts", 0, 1),
        ("training_attempts", "-1", 1),
        ("training_session_interval", -1, 0),
        ("training_stall_timeout", 0, 1),
        ("training_restarts_per_hour", 0, 1),
        ("training_timeout", -1, 0),
        ("training_online_timeout", -1, 0),
        ("training_model_megabytes", -0.5, 0),
    ],
)
def test_a_number_below_its_least_is_named_with_what_to_do(name, value, least) -> None:
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name} is {value} but must be at least {least}. ")
    assert problem.split(". ", 1)[1].endswith(".")


def test_all_are_told_at_once() -> None:
    wrong = {name: -1 for name in DEFAULTS if isinstance(DEFAULTS[name], int) and not isinstance(DEFAULTS[name], bool)}
    assert len(problems(**wrong)) == len(wrong) == 7
