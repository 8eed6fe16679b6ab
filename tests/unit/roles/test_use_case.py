# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the role app looks for the task that its app is to train."""

from __future__ import annotations

from functools import partial

import pytest


@pytest.fixture
def use_case(computed):
    return partial(computed, "app", "app_use_case")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "digits"),
        ({"training_context": {}}, "digits"),
        ({"training_context": {"FL_USE_CASE": ""}}, "digits"),
        ({"fl_use_case": ""}, "digits"),
        ({"fl_use_case": "anomaly-detection"}, "anomaly-detection"),
        ({"training_context": {"FL_USE_CASE": "llm-fine-tuning"}}, "llm-fine-tuning"),
        ({"training_context": {"FL_USE_CASE": "llm-fine-tuning"}, "fl_use_case": ""}, "llm-fine-tuning"),
        ({"training_context": {"FL_USE_CASE": "llm-fine-tuning"}, "fl_use_case": "digits"}, "digits"),
    ],
)
def test_the_variable_comes_before_the_context_and_digits_are_the_default(use_case, given, found) -> None:
    assert use_case(**given) == found
