# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads foreign bytes is given a great many, in processes of their own: a signal that ends one fails the test.

FUZZ_SEEDS=7,8,9 FUZZ_TIMES=50 pytest tests/unit/fab/test_fuzz.py looks further. A seed that finds something is kept.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SEEDS = [int(seed) for seed in os.environ.get("FUZZ_SEEDS", "1").split(",")]
TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
CASES = {"arrays": 1500, "replies": 1000, "checkpoints": 400, "registries": 1000}  # some seconds each
KEPT: dict[str, list[int]] = {"arrays": [2], "replies": [], "checkpoints": [], "registries": []}
FUZZ = Path(__file__).with_name("fuzz.py")


@pytest.mark.parametrize(
    ("target", "seed"), [(target, seed) for target in CASES for seed in dict.fromkeys([*KEPT[target], *SEEDS])]
)
def test_whatever_comes_is_answered_and_ends_nothing(target: str, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, str(FUZZ), target, str(TIMES * CASES[target]), str(seed)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120 * TIMES,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-300:]}\n{done.stderr[-3000:]}"
