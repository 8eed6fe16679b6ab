# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report tells of the privacy of a training."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._report.noise import of_noise

from . import stories
from .test_report import made, read

SETTINGS = {
    "kind": "central_fixed", "noise_multiplier": 2.0, "delta": 1e-5, "epsilon_budget": 8.0, "seed": 0,
}  # fmt: skip


def private(rounds: int, **settings: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    told = {**SETTINGS, **settings}
    lines = [
        {**line, "privacy": {**told, "epsilon": 0.5 * number}}
        for number, line in enumerate(stories.lines(rounds, 4), 1)
    ]
    return lines, {**stories.effective(), "privacy": told}


def test_what_is_spent_is_told_by_round_and_in_all(tmp_path) -> None:
    lines, effective = private(8)
    found = made(lines, tmp_path, effective=effective)
    assert [row["epsilon"] for row in found["rounds"]] == [0.5 * number for number in range(1, 9)]
    assert found["outcome"]["privacy"] == "epsilon 4 of 8 is spent (central_fixed, delta 1e-05)"
    text = " ".join(read(found).words)
    assert "Privacy spent (epsilon)" in text
    assert "epsilon 4 of 8 is spent (central_fixed, delta 1e-05)" in text
    assert found["anomalies"] == []


def test_the_result_has_the_last_word(tmp_path) -> None:
    lines, effective = private(8)
    result = {"rounds": 8, "privacy": {**SETTINGS, "epsilon": 7.9, "over": True, "ended": True}}
    found = made(lines, tmp_path, effective=effective, result=result)
    assert found["outcome"]["privacy"].startswith("epsilon 7.9 of 8 is spent")
    assert found["outcome"]["stopped_early"].startswith("stopped after round 8, as one more would exceed")
    assert "as one more would exceed the privacy budget" in " ".join(read(found).words)


def test_without_privacy_nothing_speaks_of_it(tmp_path) -> None:
    found = made(stories.lines(8, 4), tmp_path)
    assert found["outcome"]["privacy"] == ""
    assert "rivacy" not in " ".join(read(found).words)


@pytest.mark.parametrize(("settings", "kind"), [({"seed": 7}, "not_private"), ({"noise_multiplier": 0.0}, "no_noise")])
def test_noise_that_protects_nobody_is_remarkable(tmp_path, settings: dict[str, Any], kind: str) -> None:
    lines, effective = private(8, **settings)
    found = made(lines, tmp_path, effective=effective)
    assert [one["kind"] for one in found["anomalies"]] == [kind]
    assert [one.kind for one in of_noise(found)] == [kind]


def test_what_a_stranger_tells_is_no_number(tmp_path) -> None:
    lines, effective = private(3)
    for told in ("much", [1], {"epsilon": "<b>"}, None, {"epsilon": float("inf")}):
        found = made([*lines[:2], {**lines[2], "privacy": told}], tmp_path, effective={**effective, "privacy": told})
        read(found)
