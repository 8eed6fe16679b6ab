# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start NVFlare's proof of concept, run one training on it, and stop it. It runs in NVFlare's own environment."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from carrying import Carrying
from nvflare.job_config.api import FedJob
from nvflare.job_config.script_runner import FrameworkType, ScriptRunner
from nvflare.recipe.poc_env import PocEnv
from nvflare.recipe.run import Run


def main() -> int:
    """Train; the moments of the rounds go to a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("megabytes", "arrays", "clients", "rounds"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--moments", required=True)
    parser.add_argument("--timeout", type=float, required=True)
    options = parser.parse_args()

    job = FedJob(name="carrying", min_clients=options.clients)
    job.to_server(
        Carrying(options.megabytes, options.arrays, options.moments, options.clients, options.rounds), id="controller"
    )
    job.to_clients(
        ScriptRunner(script=str(Path(__file__).with_name("client.py")), framework=FrameworkType.RAW), tasks=["train"]
    )
    environment = PocEnv(num_clients=options.clients)
    run = Run(environment, environment.deploy(job))
    run.get_result(options.timeout, clean_up=False)
    print(run.get_status())
    return 0


if __name__ == "__main__":
    sys.exit(main())
