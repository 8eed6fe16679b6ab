# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train what the hosts have trained on a simulated grid, with the liars and without; print what each reached as JSON.

simulate.py DATA '{"sites": [...], "liars": [...], "variables": {run configuration}}'
DATA holds test.npz of the server, and <host>/<site>/train.npz of every site.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from simulation import Simulation

ATTACK = {"attack": "sign-flip"}


def main(data: Path, asked: dict) -> None:
    """Train twice."""
    found = {}
    for name, liars in (("clean", []), ("attacked", asked["liars"])):
        with Simulation.of_hosts(data, tuple(asked["sites"])) as simulation:
            result = simulation.repeat(asked["variables"], node_configs=dict.fromkeys(liars, ATTACK))
            found[name] = {key: result[key] for key in ("accuracy", "loss", "sha256")}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
