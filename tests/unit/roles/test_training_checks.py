# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training is checked several times, with more and more that is known: each time it is the same training."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).resolve().parents[3] / "roles" / "training" / "tasks"
CHECK = "fedops.flower.training_config"
KNOWN_LATER = {"initial", "nodes_online", "room", "runtime"}


def test_every_check_of_a_training_is_of_the_same_app() -> None:
    tasks = [task for path in TASKS.glob("*.yml") for task in yaml.safe_load(path.read_text("utf-8"))]
    checks = [
        {key: given for key, given in task[CHECK].items() if key not in KNOWN_LATER} for task in tasks if CHECK in task
    ]
    # The last look of a smoke run is at the real training.
    assert sorted((str(check.pop("fixed")) for check in checks), key=len) == ["{}", *["{{ __training_fixed }}"] * 3]
    assert checks[0]["kit"] == "{{ app_kit }}"
    assert checks == checks[:1] * 4


@pytest.mark.parametrize("no", [False, "false", "no", "", None])
@pytest.mark.parametrize("yes", [True, "true", "Yes"])
def test_a_training_is_forced_by_who_says_so(computed, no, yes) -> None:
    context = ("training", "__training_context")
    assert computed(*context, training_force=no, training_round_files=no) == {}
    forced = computed(*context, training_force=yes, training_round_files=no)
    assert forced == {"FL_RESUME": "never"}
    assert computed(*context, training_force=no, training_round_files=yes) == {"FL_ROUND_FILES": "true"}
