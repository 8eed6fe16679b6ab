# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeats a training of test hosts on a simulated grid: reads its C(effective.json), and prints its result.

undisturbed.py DATA SITE...
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from simulation import Simulation


def main() -> None:
    """Train, and print the result."""
    data, *sites = sys.argv[1:]
    run_config = json.load(sys.stdin)["run_config"]
    with redirect_stdout(sys.stderr), Simulation.of_hosts(Path(data).resolve(), tuple(sites)) as simulation:
        result = simulation.repeat(run_config)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
