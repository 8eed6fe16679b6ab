# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A command may say gigabytes, or nothing for ever: neither memory nor patience is used up."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.bounded import Done, Head, ShortTexts, Tail, run
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=30,
)


def said_by(keeper, data: bytes, size: int) -> bytes:
    for start in range(0, len(data), size):
        keeper.take(data[start : start + size])
    return keeper.kept()


@pytest.mark.parametrize(("keeper", "kept"), [(Head(4), b"abcd"), (Tail(4), b"efgh"), (Head(99), b"abcdefgh")])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_beginning_or_the_end_is_kept(keeper, kept, size) -> None:
    assert said_by(type(keeper)(keeper._most), b"abcdefgh", size) == kept


@given(VALUES, st.booleans(), st.integers(1, 40))
def test_json_with_short_texts_is_kept_as_it_is(value, ensure_ascii, size) -> None:
    data = json.dumps(value, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass")
    assert said_by(ShortTexts(), data, size) == data


@given(
    st.text(st.one_of(st.sampled_from('"\\\n\x1b\u202e🌸𐀀'), st.characters(max_codepoint=0xD7FF)), min_size=1),
    st.integers(1, 40),
)
def test_json_with_long_texts_stays_json(text, size) -> None:
    data = json.dumps({"before": 1, "long": text * 20, "after": [text[:1]]}).encode()
    kept = json.loads(said_by(ShortTexts(text=12), data, size), strict=False)
    begin, more = re.fullmatch(r"(.{,12}) \.\.\. \((\d+) more bytes\)", kept["long"], re.S).groups()
    assert (text * 20).startswith(re.sub("[\ud800-\udfff]$", "", begin))  # half of a character
    assert int(more) == len(json.dumps(text * 20)) - 2 - len(json.dumps(begin)) + 2
    assert (kept["before"], len(kept["after"])) == (1, 1)


@given(st.binary(), st.integers(1, 40))
def test_whatever_is_said_is_taken(data, size) -> None:
    assert len(said_by(ShortTexts(text=4, most=20), data, size)) <= 20
    said_by(ShortTexts(), data, size)


def test_a_command_says_what_it_has_come_to() -> None:
    program = "import sys; print('öut'); print('err', file=sys.stderr); sys.exit(3)"
    assert run([sys.executable, "-c", program], 20) == Done(3, "öut\n", "err\n")


@pytest.mark.parametrize("keeper", [Head, Tail, ShortTexts])
def test_a_gigabyte_is_not_kept(keeper) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = run(["head", "-c", "300M", "/dev/zero"], 60, keeper())
    assert len(done.stdout) <= 1 << 25
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # kilobytes


def test_a_listing_with_one_endless_reason_is_still_read() -> None:
    program = 'print(\'{"success": true, "a": "\' + \'\\\\u001b\' * 5_000_000 + \'", "b": 1}\')'
    start = time.monotonic()
    answer = json.loads(run([sys.executable, "-c", program], 60, ShortTexts()).stdout)
    assert (answer["success"], answer["b"], answer["a"]) == (True, 1, "\x1b" * 650 + " ... (29996100 more bytes)")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("program", ["sleep 60", "sleep 60 & exit 0", "yes", "exec >&- 2>&-; sleep 60"])
def test_a_command_without_an_end_is_ended(program) -> None:
    start = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", program], 0.5)
    assert time.monotonic() - start < 5
