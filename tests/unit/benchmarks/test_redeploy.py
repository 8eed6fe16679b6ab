# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training whose SuperLink host was built anew is told to have come to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import redeploy

OUTCOME = redeploy.Outcome(destroyed_after_round=5, site=40.0, train=50.0, next_round=60.0)


@pytest.mark.parametrize(
    ("rounds", "sha256", "expected"),
    [
        ([6, 7, 8], "a", []),
        ([5, 6, 7, 8], "a", ["The new host has trained the rounds [5, 6, 7, 8], but [6, 7, 8] were left."]),
        ([7, 8], "a", ["The new host has trained the rounds [7, 8], but [6, 7, 8] were left."]),
        ([6, 7, 8], "b", ["The model is b, undisturbed it is a."]),
    ],
)
def test_a_training_that_goes_on_otherwise_than_it_should_is_a_problem(rounds, sha256, expected) -> None:
    assert redeploy.problems(OUTCOME, rounds, {"sha256": sha256}, {"sha256": "a"}) == expected


def test_the_same_is_asked_for_before_and_afterwards() -> None:
    asked = redeploy.variables(SimpleNamespace(device="/dev/loop7"), 3)
    assert asked == redeploy.variables(SimpleNamespace(device="/dev/loop7"), 3)
    assert asked["checkpoints_disk_device"] == "/dev/loop7"
    assert asked["fl_min_fit_clients"] == 3
