# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role training makes of a smoke run: one try that is waited for, and what a workflow is told of it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

SMOKE = {"fl_purpose": "smoke", "fl_training_name": "smoke-digits"}
ASKED: dict[str, Any] = {
    "training": {"training_name": "smoke-digits", "checkpoint_enabled": True, "min_available_clients": 2,
                 "min_fit_clients": 2, "node_wait_timeout": 1, "round_timeout": 1},
    "provable": True, "app": "own.app", "num_rounds": 1, "configuration_hash": "h",
}  # fmt: skip
NOTHING: dict[str, Any] = {
    f"__training_{name}": {}
    for name in (
        "refusal",
        "quiesced",
        "initial",
        "plan",
        "supernodes",
        "room",
        "check",
        "run",
        "proof",
        "model",
        "report",
    )
}


@pytest.fixture
def of_role(computed):
    return partial(computed, "training")


@pytest.mark.parametrize("mode", ["once", "continuous"])
def test_a_smoke_run_has_one_try_whatever_the_training_has(of_role, mode: str) -> None:
    given = {"training_mode": mode, "training_wait": False, "training_attempts": 7}
    way = of_role("__training_way", __training_fixed=SMOKE, **given)
    assert (way["mode"], way["attempts"], way["wait"], way["force"]) == ("once", 1, True, True)
    way = of_role("__training_way", __training_fixed={}, **given)
    assert (way["mode"], way["attempts"], way["wait"], way["force"]) == (mode, 7, False, False)


@pytest.mark.parametrize("left_empty", ["", None])
def test_an_answer_that_was_left_empty_is_no_problem(of_role, left_empty: object) -> None:
    given = {"training_smoke_batches": left_empty, "training_smoke_timeout": left_empty}
    assert of_role("__training_problems", __training_asked=ASKED, __training_fixed={}, **given) == []
    (problem,) = of_role("__training_problems", __training_asked=ASKED, __training_fixed={}, training_smoke_batches="0")
    assert problem == "training_smoke_batches is 0 but must be a number, at least 1. Leave it unset for 10."


def test_a_workflow_is_told_of_the_real_training_and_of_no_checkpoint(of_role) -> None:
    verdict = {"passed": False, "problems": ["b did not train: \x1b no data"], "expected_seconds": 90}
    real = {"training": {"training_name": "digits"}}
    told = of_role(
        "__training_smoke_statistics",
        **{**NOTHING, "__training_asked": ASKED, "__training_fixed": SMOKE, "__training_smoke": verdict},
        __training_real=real,
    )
    assert (told["flower_training"], told["flower_smoke_passed"], told["flower_expected_seconds"]) == (
        "digits",
        False,
        90,
    )
    assert told["flower_smoke_problems"] == ["b did not train: \\x1b no data"]
    assert (told["flower_checkpoint"], told["flower_model_bytes"]) == (None, None)
    told = of_role(
        "__training_smoke_statistics", **NOTHING, __training_asked={}, __training_real={}, __training_smoke={},
        __training_fixed={},
    )  # fmt: skip
    assert (told["flower_smoke_passed"], told["flower_smoke_problems"]) == (False, [])


def test_the_verdict_gets_what_the_steps_have_found(of_role) -> None:
    members = {"supernodes": [{"name": "a", "status": "online"}, {"name": "b", "status": "offline", "online_at": "1"}]}
    given = {"__training_members": members, "__training_real_check": {}, "__training_real": ASKED, **NOTHING}
    seen = of_role("__training_smoke_seen", __training_asked=ASKED, __training_fixed=SMOKE, **given)
    assert (seen["sites"], seen["supernodes"], seen["smoke"]) == (["a", "b"], members, ASKED)
    (missing,) = of_role("__training_missing", **given)
    assert missing.startswith("b did not train: it is offline")
