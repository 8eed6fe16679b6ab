# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rule on a metric, at its bound and on both sides of it."""

from __future__ import annotations

import math

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._delivery.metric_rule import MetricRule


@pytest.mark.parametrize(
    ("comparison", "below", "at", "above"),
    [(">=", False, True, True), (">", False, False, True), ("<=", True, True, False), ("<", True, False, False)],
)
def test_a_rule_allows_one_side_and_no_value_that_is_not_known(
    comparison: str, below: bool, at: bool, above: bool
) -> None:
    rule = MetricRule("accuracy", comparison, 0.5)
    assert [rule.allows(value) for value in (0.4, 0.5, 0.6)] == [below, at, above]
    assert [rule.allows(value) for value in (None, math.nan)] == [False, False]
