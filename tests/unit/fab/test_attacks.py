# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A SuperNode lies only when its own configuration and the training both say so."""

from __future__ import annotations

import numpy as np
import pytest
from simulated import Federation

from fedops_app import attacks
from fedops_kit.errors import RunFailedError

LIAR = {"site00": {"attack": "sign-flip"}}


def test_a_sign_flip_sends_the_opposite_of_what_was_learned_made_larger() -> None:
    received = {"w": np.array([1.0, 2.0], np.float32), "steps": np.array([3], np.int64)}
    trained = {"w": np.array([1.5, 1.0], np.float32), "steps": np.array([7], np.int64)}
    sent = attacks.SignFlip(4.0).poison(received, trained)
    np.testing.assert_array_equal(sent["w"], np.array([-1.0, 6.0], np.float32))
    assert sent["steps"].tolist() == [7]
    assert [array.dtype for array in sent.values()] == [np.float32, np.int64]


def test_an_honest_node_trains_the_same_whether_attacks_are_allowed_or_not() -> None:
    assert attacks.chosen({"site": "a"}, True) is None
    assert attacks.chosen({"site": "a"}, False) is None


@pytest.mark.parametrize("allowed", [False, None, 0, 1, "true"])
def test_an_attack_that_the_training_does_not_allow_is_refused(allowed: object) -> None:
    with pytest.raises(PermissionError, match="attack is 'sign-flip' .* but fl_demo_attacks is false"):
        attacks.chosen({"attack": "sign-flip"}, allowed)


@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "10", True])
def test_a_scale_that_is_no_scale_is_refused(scale: object) -> None:
    with pytest.raises(ValueError, match=r"^attack-scale is .* but must be a number above 0\.$"):
        attacks.chosen({"attack": "sign-flip", "attack-scale": scale}, True)


def test_an_unknown_attack_is_refused_whatever_the_training_allows() -> None:
    for allowed in (True, False):
        with pytest.raises(ValueError, match="attack is 'noise' .* but must be sign-flip"):
            attacks.chosen({"attack": "noise"}, allowed)


def test_a_liar_is_left_out_by_name_unless_the_training_allows_it(federation: Federation) -> None:
    federation.train("without", num_rounds=2, grid={"fails": lambda site, number, attempt: site == "site00"})
    federation.train("refused", num_rounds=2, grid={"node_configs": LIAR})
    assert federation.arrays(2, "refused") == federation.arrays(2, "without")
    assert [(line["replies"], line["failures"]) for line in federation.published("history.jsonl")] == [(6, 1), (6, 1)]


def test_the_reason_names_the_site_and_the_variable(federation: Federation) -> None:
    with pytest.raises(RunFailedError, match="site00: .*attack is .sign-flip."):
        federation.train(num_rounds=1, min_fit_clients=7, on_shortfall="fail", grid={"node_configs": LIAR})
