# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of an array is read as NumPy writes it, and in no other way."""

from __future__ import annotations

import ast
import re

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint import npy


def array(descr: object, shape: str, numbers: int, order: str = "False") -> bytes:
    header = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}, }}"
    return with_header(header.encode()) + b"\0" * numbers


def with_header(header: bytes) -> bytes:
    header = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return npy.MAGIC + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (array("<f4", "(2, 3)", 24), npy.Header("<f4", (2, 3), False, 128)),
        (array("|b1", "()", 1), npy.Header("|b1", (), False, 128)),
        (array(">i8", "(3,)", 24), npy.Header(">i8", (3,), False, 128)),
        (array("<c16", "(0, 7)", 0, "True"), npy.Header("<c16", (0, 7), True, 128)),
    ],
)
def test_what_numpy_writes_is_read(content: bytes, expected: npy.Header) -> None:
    assert npy.read(content, len(content)) == expected
    assert npy.read(content[: npy.LONGEST], len(content)) == expected


BAD = {
    "no size": array("|V0", "(-1,)", 0),
    "no size of text": array("|S0", "(-1,)", 0),
    "no size of unicode": array("<U0", "(-1,)", 0),
    "objects": array("|O", "(1,)", 8),
    "text": array("<U4", "(1,)", 16),
    "bytes": array("|S4", "(1,)", 4),
    "void": array("|V8", "(1,)", 8),
    "dates": array("<M8[us]", "(1,)", 8),
    "structured": array([("a", "<f4")], "(1,)", 4),
    "in another byte order than it can have": array("<i1", "(1,)", 1),
    "larger than a number": array("<f9", "(1,)", 9),
    "negative": array("<f4", "(-1, -6)", 24),
    "true": array("<f4", "(True, 6)", 24),
    "computed": array("<f4", "(2+4,)", 24),
    "a list": array("<f4", "[2, 3]", 24),
    "with zeros before": array("<f4", "(06,)", 24),
    "huge": array("<f4", f"({'9' * 5000},)", 24),
    "a number beyond memory": array("<f4", "(9999999999999999999,)", 24),
    "a product beyond memory": array("<f4", f"({', '.join(['4294967296'] * 3)})", 24),
    "nothing of something huge": array("<f8", "(0, 9223372036854775807)", 0),
    "too many dimensions": array("<f4", f"({', '.join(['1'] * 65)})", 4),
    "too much": array("<f4", "(2, 3)", 25),
    "too little": array("<f4", "(2, 3)", 23),
    "twice": with_header(b"{'descr': '<f4', 'descr': '|V0', 'fortran_order': False, 'shape': (), }") + bytes(4),
    "in another order": with_header(b"{'fortran_order': False, 'descr': '<f4', 'shape': (), }") + bytes(4),
    "more": with_header(b"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'more': 1, }") + bytes(4),
    "deep": with_header(b"(" * 3000) + bytes(4),
    "another version": b"\x93NUMPY\x02\x00" + array("<f4", "()", 4)[8:],
    "cut short": array("<f4", "()", 4)[:60],
    "nothing": b"",
    "only a magic": npy.MAGIC,
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        npy.read(content, len(content))


def test_a_header_is_read_as_the_literal_that_it_is() -> None:
    for descr in npy.TYPES:
        for shape in ((), (5,), (0,), (1, 2, 3)):
            size = int(re.sub(r"\D", "", descr))
            for length in shape:
                size *= length
            content = array(descr, repr(shape), size)
            header = npy.read(content, len(content))
            literal = ast.literal_eval(content[10:128].decode())
            assert (header.descr, header.shape) == (literal["descr"], literal["shape"])
