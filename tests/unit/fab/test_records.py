# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that nobody needs any more takes no memory, whether or not Python's collector has run."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict

from fedops_kit.packing import PARTS, pack, unpack
from fedops_kit.records import array_records


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """What refers to itself stays."""
    gc.disable()
    yield
    gc.enable()


def content() -> RecordDict:
    return RecordDict({"arrays": ArrayRecord({"w": Array(np.ones(3))}), "config": ConfigRecord({"n": 1})})


def test_only_records_of_arrays_are_returned_as_they_are() -> None:
    made = content()
    assert list(array_records(made)) == ["arrays"]
    assert array_records(made)["arrays"] is made["arrays"]
    assert array_records(RecordDict()) == {}


@pytest.mark.parametrize(
    "use", [array_records, pack, lambda made: unpack(pack(made))], ids=["looked", "packed", "both"]
)
def test_what_was_used_once_goes_with_its_last_name(use: Callable[[RecordDict], object]) -> None:
    made = content()
    array = weakref.ref(made["arrays"]["w"])
    use(made)
    del made
    assert array() is None


def test_so_do_the_parts_that_it_was_packed_in() -> None:
    packed = pack(content())
    part = weakref.ref(packed[PARTS]["0"])
    del packed
    assert part() is None


def test_flowers_own_view_would_keep_it() -> None:
    made = content()
    array = weakref.ref(made["arrays"]["w"])
    assert list(made.array_records) == ["arrays"]
    del made
    assert array() is not None
