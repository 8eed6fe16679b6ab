# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a damaged file can be used; see test_supervised.py for every key of a memory."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.sound import fits, sound


@pytest.mark.parametrize(
    ("value", "usual", "expected"),
    [
        ("a", "", True),
        (None, "", False),
        (1, 0, True),
        (True, 0, False),
        (1, False, False),
        (1, 0.0, True),
        (1.5, 0.0, True),
        (True, 0.0, False),
        ("1", 0.0, False),
        ([], [], True),
        ({}, [], False),
    ],
)
def test_a_value_fits_when_it_is_of_the_usual_type(value, usual, expected) -> None:
    assert fits(value, usual) is expected


def test_what_is_wrong_missing_or_unknown_is_left_out() -> None:
    usual = {"runs": 0, "began": False, "processes": [], "detail": ""}
    values = {"runs": 2, "began": "yes", "processes": [[1, 2], 3], "other": 1}
    assert sound(values, usual) == {"runs": 2}
