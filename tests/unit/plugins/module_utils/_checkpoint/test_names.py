# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.names import (
    LATEST_ARRAYS,
    LATEST_MANIFEST,
    arrays_name,
    manifest_name,
    round_of,
)


@pytest.mark.parametrize("number", [1, 10, 4711])
def test_a_name_says_of_which_round_it_is(number: int) -> None:
    assert [round_of(name) for name in (arrays_name(number), manifest_name(number))] == [number, number]


@pytest.mark.parametrize(
    "name",
    [
        LATEST_ARRAYS,
        LATEST_MANIFEST,
        arrays_name(0),
        arrays_name(-1),
        "checkpoint_round_01.npz",
        "checkpoint_round_1.npz.partial",
        "checkpoint_round_1.seal",
        "checkpoint_round_1.json\n",
        "checkpoint_round_\u0661.npz",
        "checkpoint_round_.npz",
        "old_checkpoint_round_1.npz",
    ],
)
def test_whatever_else_lies_there_is_of_no_round(name: str) -> None:
    assert round_of(name) is None
