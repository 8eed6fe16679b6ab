# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every benchmark as briefly as it can be run, and see that it still does all that it does.

What it measures then is worth nothing, and is thrown away.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import ROOT

BENCHMARKS = ROOT / "benchmarks"


@dataclass(frozen=True)
class Smoke:
    """The smallest run of a benchmark."""

    arguments: tuple[str, ...]
    hosts: bool = False  # it needs hosts, which are containers or virtual machines
    shares: bool = False  # its hosts may be those that another one has left

    def command(self, name: str, results: Path, keep_hosts: bool) -> list[str]:
        """Return what runs it."""
        keeping = ["--keep-hosts"] if keep_hosts else []
        return [sys.executable, str(BENCHMARKS / f"{name}.py"), *self.arguments, "--results", str(results), *keeping]


SMOKES: Mapping[str, Smoke] = {
    "checkpoint": Smoke(("--megabytes", "1", "--pairs", "2", "--patience", "0")),
    "byzantine": Smoke(("--strategies", "FedAvg", "Krum", "--alphas", "100", "--seeds", "1")),
    "liars": Smoke(("--strategies", "Krum", "--attacks", "labels, inflated", "--seeds", "1", "--alphas", "1")),
    "normalization": Smoke(("--strategies", "FedAvg", "--seeds", "1")),
    "aggregation": Smoke(("--strategies", "MultiKrum", "--megabytes", "1", "--turns", "1")),
    "client_drift": Smoke(("--mus", "0", "3", "--seeds", "1")),
    "round": Smoke(("--blocks", "1", "--rounds", "4"), hosts=True, shares=True),
    "nvflare": Smoke(("--cases", "1:4", "--rounds", "4", "--blocks", "1"), hosts=True, shares=True),
    "model_size": Smoke(("--megabytes", "1", "2", "--rounds", "3"), hosts=True, shares=True),
    "deploy": Smoke(("--pairs", "2", "--supernodes", "1"), hosts=True),
    "backends": Smoke(("--megabytes", "1", "--repeats", "2"), hosts=True),
}
# Benchmarks that a scenario of molecule runs as they are.
SCENARIOS = {"recovery": "recovery", "redeploy": "redeploy"}


def run(name: str, keep_hosts: bool = False) -> str:
    """Run one benchmark; say what is wrong, or nothing."""
    with tempfile.TemporaryDirectory(prefix="smoke-") as scratch:
        done = subprocess.run(SMOKES[name].command(name, Path(scratch), keep_hosts), cwd=ROOT, check=False)
        if done.returncode:
            return f"it ended with {done.returncode}"
        written = {path.name for path in Path(scratch).iterdir() if path.stat().st_size}
        return "" if f"{name}.json" in written else f"it wrote {sorted(written) or 'nothing'}, not {name}.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them, one after the other; exit 1 when one has failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SMOKES)} (default: all)")
    parser.add_argument("--without-hosts", action="store_true", help="leave out those that need hosts")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in SMOKES]:
        parser.error(f"{unknown[0]} is none of {', '.join(SMOKES)}")
    chosen = [name for name in SMOKES if name in (options.names or SMOKES)]
    chosen = [name for name in chosen if not (options.without_hosts and SMOKES[name].hosts)]
    failed = []
    for number, name in enumerate(chosen):
        print(f"\n--- {name}: {' '.join(SMOKES[name].arguments)}", flush=True)
        shared = SMOKES[name].shares and any(SMOKES[later].shares for later in chosen[number + 1 :])
        started = time.monotonic()
        problem = run(name, keep_hosts=shared)
        print(f"--- {name}: {problem or 'well'}, {time.monotonic() - started:.0f} s", flush=True)
        failed += [f"{name}: {problem}"] if problem else []
    print("", *failed, f"{len(chosen) - len(failed)} of {len(chosen)} benchmarks ran.", sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
