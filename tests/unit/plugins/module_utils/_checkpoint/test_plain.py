# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of another program are known by what they say of themselves, and by nothing else."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._checkpoint.plain import plain_rounds, plain_text

FACTS = {"round": 10, "timestamp": "2026-01-01T00:00:00", "num_arrays": 4}


@pytest.mark.parametrize(
    ("latest", "rounds"),
    [
        (FACTS, [2, 10]),
        ({"round": 10}, [2, 10]),
        ({**FACTS, "sha256": "a"}, []),
        ({}, []),
        ([FACTS], []),
        (None, []),
    ],
)
def test_rounds_without_manifest_are_plain_where_the_latest_says_so(tmp_path, latest, rounds) -> None:
    (tmp_path / "checkpoint_round_3.json").touch()
    if latest is not None:
        (tmp_path / "checkpoint_latest.json").write_text(json.dumps(latest))
    assert plain_rounds(str(tmp_path), [2, 3, 10]) == rounds


def test_the_newest_is_named_with_what_to_do_and_the_others_as_far_as_they_help() -> None:
    text = plain_text("/srv/c", list(range(1, 100)))
    assert "(round 95, 96, 97, 98, 99)" in text
    assert text.endswith("set fl_initial_checkpoint=/srv/c/checkpoint_round_99.npz.")
