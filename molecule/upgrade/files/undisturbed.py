# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train what the hosts have trained on a simulated grid, where nothing is upgraded; print the SHA-256 of its model.

undisturbed.py DATA '{"sites": [...], "run_config": {...}}'
DATA holds test.npz of the server, and <site>/train.npz of every site.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from simulation import Simulation


def main(data: Path, asked: dict) -> None:
    """Train once."""
    with Simulation.of_hosts(data, tuple(asked["sites"])) as simulation:
        print(simulation.repeat(asked["run_config"])["sha256"])


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
