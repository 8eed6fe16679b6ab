# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke run and a simulation are told apart in the status, by what was asked for or else by what they say."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._training import picture, status_page


@pytest.mark.parametrize(("purpose", "said"), [("smoke", "a smoke run"), ("simulation", "a simulation"), ("x", "x")])
def test_what_is_no_real_training_says_so(purpose: str, said: str) -> None:
    one: dict[str, Any] = {"name": "one", "status": "running", "run_id": "9", "num_rounds": 9, "history": []}
    asked = {"state": "running", "num_rounds": 9}
    trainings = [
        {**one, "effective": {"purpose": purpose}},
        {**one, "name": "two", "supervision": {**asked, "purpose": purpose}},
        {**one, "name": "three", "supervision": {**asked, "purpose": "training"}, "effective": {"purpose": purpose}},
    ]
    kept = {"round": 1, "age": 5.0, "path": "/c/one"}
    checkpoints = [{**kept, "training": "one", "purpose": purpose}, {**kept, "training": "three"}]
    found = {"host": "h", "health": 200, "certificate_days": 1, "expected": [], "supernodes": [], "latest": None}
    page = status_page.render(picture.federation({**found, "trainings": trainings, "checkpoints": checkpoints}))
    for name in ("one", "two"):
        assert f"\n  {name}: no real training, but {said}.\n" in page
    assert f"\n  /c/one\n  WARNING. This is no real training, but {said}.\n" in page
    assert page.count("no real training") == 3
