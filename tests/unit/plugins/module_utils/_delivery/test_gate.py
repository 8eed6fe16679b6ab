# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the gate of a channel lets through."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._delivery.gate import Gate


def metrics(accuracy: object = None, loss: object = None) -> dict[str, object]:
    return {"accuracy": accuracy, "loss": loss}


@pytest.mark.parametrize(
    ("gate", "now", "before", "passes"),
    [
        (Gate(), metrics(), None, True),
        (Gate(), metrics(), metrics(), True),
        (Gate(), metrics(0.5), metrics(0.5), True),
        (Gate(), metrics(0.5), metrics(0.6), False),
        (Gate(), metrics(0.9, loss=9), metrics(0.8, loss=1), True),  # the accuracy counts
        (Gate(), metrics(loss=1), metrics(0.8, loss=2), True),
        (Gate(), metrics(loss=2), metrics(loss=1), False),
        (Gate(tolerance=1), metrics(loss=2), metrics(loss=1), True),
        (Gate(), metrics(), metrics(0.8), False),
        (Gate(), metrics(0.8), metrics(), True),
        (Gate(), metrics(float("nan")), metrics(0.8), False),
        (Gate(worse=True), metrics(), metrics(0.8), True),
        (Gate(min_accuracy=0.9), metrics(0.9), None, True),
        (Gate(min_accuracy=0.9), metrics(), None, False),
        (Gate(max_loss=1, worse=True), metrics(loss=True), None, False),
        (Gate(max_loss=1), metrics(loss=0.5), None, True),
    ],
)
def test_a_package_passes_when_it_is_good_enough(gate, now, before, passes) -> None:
    assert (gate.problems("tiny-2-01234567", now, "tiny-1-01234567", before) == []) is passes


def test_all_reasons_are_said() -> None:
    said = Gate(min_accuracy=0.9, max_loss=1).problems("new", metrics(0.5, 2), "old", metrics(0.6))
    assert said == [
        "new has accuracy 0.5, and promote_min_accuracy is 0.9.",
        "new has loss 2, and promote_max_loss is 1.",
        "new has accuracy 0.5 and is worse than old, which has 0.6. Set promote_tolerance, or promote_worse to mean"
        " it.",
    ]
