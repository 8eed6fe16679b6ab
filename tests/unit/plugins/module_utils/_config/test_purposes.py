# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a model that is not for real."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.purposes import PURPOSES, purpose_of, told_purpose


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_is_told_of_a_purpose_is_read_again(purpose: str) -> None:
    assert purpose_of(told_purpose(purpose)) == purpose


@pytest.mark.parametrize("told", [None, {}, {"purpose": None}, {"purpose": 5}, {"purpose": ["smoke"]}])
def test_what_says_nothing_is_a_real_training(told: dict | None) -> None:
    assert purpose_of(told) == "training"
    assert told_purpose("training") == {}
