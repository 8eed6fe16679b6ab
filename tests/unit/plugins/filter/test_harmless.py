# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has said is safe to show."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.filter.harmless import FilterModule

harmless = FilterModule().filters()["harmless"]


@pytest.mark.parametrize(
    ("given", "multiline", "expected"),
    [
        ("a\x1b]0;x\x07\u202e", False, "a\\x1b]0;x\\x07\\u202e"),
        (["a\nb", {"c\x1b": 1.5}], False, ["a b", {"c\\x1b": 1.5}]),
        ("a\nb\x9b", True, "a\nb\\x9b"),
        (None, False, None),
    ],
)
def test_only_a_reader_acts_on_it(given, multiline, expected) -> None:
    assert harmless(given, multiline) == expected


def test_it_is_bounded() -> None:
    assert len(harmless("x" * 10**7)) <= 2000
    assert len(harmless("x\n" * 10**7, multiline=True)) <= 20_000
    assert len(harmless(["x"] * 10**5)) <= 1000
