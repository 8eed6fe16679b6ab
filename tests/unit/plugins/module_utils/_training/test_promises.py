# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which promises hold for a training, by what is known of its app."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training.promises import (
    WITHOUT_KIT,
    promise_lines,
    promises_of,
)

SAID = {"holds": ["one", "two"], "not": ["three"]}


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"effective": {"run_id": "1"}}, None),  # our own app
        ({"effective": {"run_id": "1", "promises": SAID}}, SAID),
        ({"effective": None, "supervision": {"reports": True}}, None),  # it has not begun
        ({"effective": None, "supervision": None}, None),
        (
            {"effective": None, "supervision": {"reports": False}},
            {kind: list(texts) for kind, texts in WITHOUT_KIT.items()},
        ),
    ],
)
def test_an_app_says_it_itself_or_is_known_not_to_have_the_kit(training: dict, expected: dict | None) -> None:
    assert promises_of(training) == expected


def test_a_person_reads_two_lines() -> None:
    assert promise_lines(SAID) == ["promised: one; two.", "NOT promised: three."]
    assert promise_lines({"holds": [], "not": ["three"]}) == ["NOT promised: three."]
