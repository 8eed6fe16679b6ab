# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train what the hosts have trained on a simulated grid, with the liars and without; print what each reached as JSON.

simulate.py DATA '{"sites": [...], "liars": [...], "variables": {run configuration}}'
DATA holds test.npz of the server, and <host>/<site>/train.npz of every site.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))

from simulation import Simulation

from fedops_app.knowledge._variables import BY_KEY

ATTACK = {"attack": "sign-flip"}


def main(data: Path, asked: dict) -> None:
    """Lay the data out as the simulation expects it, and train twice."""
    variables = {BY_KEY[key].name: value for key, value in asked["variables"].items()}
    found = {}
    for name, liars in (("clean", []), ("attacked", asked["liars"])):
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            (root / "server").mkdir()
            (root / "server" / "test.npz").symlink_to(data / "test.npz")
            for site in asked["sites"]:
                (share,) = data.glob(f"*/{site}")
                (root / site).symlink_to(share)
            simulation = Simulation(root, tuple(asked["sites"]))
            variables["checkpoint_path"] = str(root / "checkpoints")
            simulation.train(variables, dict.fromkeys(liars, ATTACK))
            result = json.loads((root / "trainings" / variables["training_name"] / "result.json").read_text())
            found[name] = {key: result[key] for key in ("accuracy", "loss", "sha256")}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), json.loads(sys.argv[2]))
