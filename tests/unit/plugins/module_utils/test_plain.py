# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What JSON and UTF-8 have not is replaced, and nothing else is changed."""

from __future__ import annotations

import json
import math

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._plain import plain, plain_text


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 1.5, "", "Größe 🌸", [1, [2.0]], {"a": {"b": None}}, 10**30],
)
def test_what_every_reader_takes_stays_as_it_is(value) -> None:
    assert plain(value) == value
    assert type(plain(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        ([math.nan, 1.0], [None, 1.0]),
        ((math.inf, "a"), [None, "a"]),
        ({"a\udcff": [{"b": "\ud800"}]}, {"a?": [{"b": "?"}]}),
    ],
)
def test_what_some_reader_does_not_take_is_replaced_however_deep_it_lies(value, expected) -> None:
    assert plain(value) == expected
    json.dumps(plain(value), ensure_ascii=False, allow_nan=False).encode()


def test_a_text_is_what_its_encoding_can_hold() -> None:
    assert [plain_text("Größe", encoding) for encoding in ("utf-8", "latin-1", "ascii")] == ["Größe", "Größe", "Gr??e"]
