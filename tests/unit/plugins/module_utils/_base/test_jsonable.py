# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What JSON and UTF-8 have not is replaced, and nothing else is changed; foreign text can only be read."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import time
import unicodedata

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import (
    Bounds,
    canonical_hash,
    harmless,
    harmless_value,
    is_finite_number,
    loads,
    plain,
    plain_text,
    without_colours,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

ACTED_ON = ("Cc", "Cf", "Cs", "Zl", "Zp")
SMALL = Bounds(text=40, key=10, items=4, depth=3, total=30)

# Half of it is what does harm.
HOSTILE = st.text(
    st.one_of(
        st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp")),
        st.sampled_from("\x1b[]0;m<>\r\n\t{{ %}"),
        st.characters(),
    )
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), HOSTILE),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(HOSTILE, inner)),
    max_leaves=60,
)


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


@given(HOSTILE, st.integers(0, 60), st.booleans())
def test_foreign_text_is_bounded_and_holds_nothing_that_a_terminal_acts_on(text, limit, multiline) -> None:
    shown = harmless(text, limit, multiline)
    assert len(shown) <= limit
    assert {c for c in shown if unicodedata.category(c) in ACTED_ON} <= ({"\n"} if multiline else set())
    assert harmless(shown, limit, multiline) == shown
    shown.encode()


@given(st.binary(), st.integers(0, 60))
def test_so_are_foreign_bytes(data, limit) -> None:
    shown = harmless(data, limit)
    assert len(shown) <= limit
    assert shown == harmless(shown, limit)


@given(
    st.text(st.characters(categories=("L", "N", "P", "S"), exclude_characters="\u115f\u1160\u3164\uffa0"), max_size=100)
)
def test_what_can_only_be_read_stays_as_it_is(text) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("multiline", [False, True])
def test_no_character_of_a_kind_that_terminals_act_on_gets_through(multiline) -> None:
    bad = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in ACTED_ON]
    assert [c for c in bad if c in harmless(c, multiline=multiline)] == (["\n"] if multiline else [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nb\nc\rd\x0be\x85f\u2028g", "a b c d e f g"),
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b31m\x7f\x00", "\\x9b31m\\x7f\\x00"),
        ("user\u202egnp.exe\u2066\u200b", "user\\u202egnp.exe\\u2066\\u200b"),
        ("\udcff\U000e0041", "\\udcff\\U000e0041"),
        ("{{ 7*7 }}\ta", "{{ 7*7 }} a"),
        ("Größe 🌸", "Größe 🌸"),
        (b"a\xff\x1b", "a\\xff\\x1b"),
    ],
)
def test_what_a_terminal_acts_on_is_written_out(text, shown) -> None:
    assert harmless(text) == shown


def test_lines_stay_lines_where_they_are_meant_to() -> None:
    assert harmless("a\r\nb\rc\x0cd\u2029e\n\x1b", multiline=True) == "a\nb\nc\nd\ne\n\\x1b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 25 + " ... (26 more characters)"),
        ("x" * 1000, "x" * 23 + " ... (977 more characters)"),
        ("\x1b" * 20, "\\x1b" * 6 + "\\" + " ... (55 more characters)"),
    ],
)
def test_what_is_cut_off_is_told(text, shown) -> None:
    assert harmless(text, 50) == shown


def test_a_huge_text_costs_nothing() -> None:
    text, start = "\x1b[31m" * 5_000_000, time.perf_counter()
    assert len(harmless(text)) <= 2000
    assert time.perf_counter() - start < 0.1


@pytest.mark.parametrize("text", ["\x1b[1;31mred\x1b[0m", "\x9b31mred", "red", "\x1b[38;2;1;2;3mred\x1b[K"])
def test_colours_are_left_out(text) -> None:
    assert without_colours(text) == "red"


NULLS = [None] * 3
FULL = {
    "0": NULLS,
    "": [NULLS[:2], NULLS[:2], NULLS],
    "00": [None, dict.fromkeys(("", "0", "1")), dict.fromkeys(("", "0", "1", "2", "00")), dict.fromkeys("01")],
}


@settings(deadline=None)
@example(FULL)
@given(VALUES)
def test_a_foreign_value_is_bounded_and_its_texts_are_harmless(value) -> None:
    kept = harmless_value(value, SMALL)
    nodes = list(_nodes(kept))
    assert len(nodes) <= SMALL.total + 1
    for depth, one in nodes:
        assert depth <= SMALL.depth
        if isinstance(one, (list, dict)):
            assert len(one) <= SMALL.items + 1
        if isinstance(one, str):
            assert one == harmless(one, SMALL.text)
        if isinstance(one, dict):
            assert all(key == harmless(key, SMALL.key) for key in one)
    assert harmless_value(kept, SMALL) == kept
    json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.just("a")), st.lists, max_leaves=20))
def test_a_value_within_its_bounds_stays_as_it_is(value) -> None:
    assert harmless_value(value, Bounds(depth=100)) == value


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([1, 2, 3, 4, 5, 6], [1, 2, 3]),
        (["a", "b", "c", "d", "e", "f"], ["a", "b", "c", "... (3 more)"]),
        ({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}, {"a": 1, "b": 2, "c": 3, "...": "2 more"}),
        ([[[["deep"]]]], [[["..."]]]),
        ({"\x1b[31m": 10**400}, {"\\x1b[31m": None}),
        ({"k" * 30: math.inf}, {" ... (30 m": None}),
    ],
)
def test_what_is_left_out_of_a_value_is_told(value, kept) -> None:
    assert harmless_value(value, SMALL) == kept


def test_a_value_of_very_many_parts_ends_early_and_says_so() -> None:
    kept = harmless_value({"a": [[0] * 4] * 4, "b": [[0] * 4] * 4})
    assert kept == {"a": [[0] * 4] * 4, "b": [[0] * 4] * 4}
    assert harmless_value(kept, SMALL)["..."] == "more than can be shown"


@pytest.mark.parametrize("text", ["", "{", "[" * 200_000, b"\xff", '{"a": ' * 100_000])
def test_text_that_is_no_json_is_one_kind_of_error(text) -> None:
    with pytest.raises(ValueError, match="."):
        loads(text)


def _nodes(value, depth=0):
    yield depth, value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(one, depth + 1)


def test_the_hash_of_a_value_is_that_of_its_shortest_text_with_sorted_keys() -> None:
    text = '{"a":[1,"\\u00e4"],"b":null}'
    assert canonical_hash({"b": None, "a": [1, "ä"]}) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(0, True), (-1.5, True), (10**300, True), (10**400, False), (math.nan, False), (-math.inf, False), (True, False),
     ("1", False), (None, False), ([1], False)],
)  # fmt: skip
def test_a_finite_number_is_one_that_a_float_holds(value: object, is_one: bool) -> None:
    assert is_finite_number(value) is is_one
