# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other code makes of a training."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.code import is_same_code


@pytest.mark.parametrize(
    ("then", "now", "change", "same"),
    [
        ("a", "a", "new", True),
        ("a", "b", "new", False),
        ("a", "b", "continue", True),
        ("a", "b", None, False),
        ("", "b", "new", True),  # a training of before
        (None, "b", "new", True),
        ("a", "", "new", True),  # a run that was submitted by hand
    ],
)
def test_other_code_is_another_training_unless_it_goes_on_or_nobody_knows(
    then: str | None, now: str, change: str | None, same: bool
) -> None:
    assert is_same_code(then, now, change) == same
