# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show that no strategy harms the buffers of a model: batch normalization against its twin that has none.

A small residual network reads the digits, once with batch normalization, whose running statistics and counters are
buffers, and once with group normalization, which keeps nothing. Every strategy trains both, on the same data and seeds.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import byzantine
from byzantine import ALIKE, SEEDS, SITES
from common import machine, new_parser, write_json
from simulation import Simulation

from fedops_kit.knowledge._config.strategies import STRATEGIES as ROWS

TRAINING = {"num_rounds": 30, "local_epochs": 2, "client_lr": 0.1}
WITHIN = 0.02  # what batch normalization may lose against its twin
# Rates with which the twin learns; what a strategy reads beside them is as in the other benchmark.
STRATEGIES: Mapping[str, Mapping[str, object]] = {
    **{name: {} for name in ROWS},
    **byzantine.STRATEGIES,
    "FedYogi": {"server_lr": 0.01, "client_lr": 0.1},
    "FedAdagrad": {"server_lr": 0.03},
    "FedAvgM": {"server_momentum": 0.5},
}


@dataclass(frozen=True)
class Twins:
    """What one strategy reached: the mean over the seeds of the accuracy on the server's test set."""

    strategy: str
    batch: float
    group: float
    most_lost: float  # by batch normalization against its twin, with any of the seeds
    seeds: list[int]


def measure(strategy: str, seeds: Sequence[int], scratch: Path, **changes: object) -> Twins:
    """Train both networks with each seed."""
    from normalized import BATCH, GROUP, Normalized

    reached: dict[str, list[float]] = {BATCH: [], GROUP: []}
    for seed in seeds:
        simulation = Simulation.dealt(scratch / str(seed), SITES, ALIKE, seed)
        for kind, accuracies in reached.items():
            with Normalized(kind).in_place():
                variables = {"strategy": strategy, "seed": seed, **TRAINING, **STRATEGIES[strategy], **changes}
                accuracies.append(simulation.train(variables)[-1]["accuracy"])
    lost = max(group - batch for batch, group in zip(*reached.values(), strict=True))
    means = (round(statistics.mean(values), 4) for values in reached.values())
    return Twins(strategy, *means, round(lost, 4), list(seeds))


def problems(twins: Sequence[Twins]) -> list[str]:
    """Say which strategies harm the buffers."""
    return [
        f"{each.strategy} loses {each.most_lost:.1%} with batch normalization against its twin"
        for each in twins
        if each.most_lost > WITHIN
    ]


def main(arguments: list[str] | None = None) -> int:
    """Train all of it and write the figures; exit 1 when a claim does not hold."""
    parser = new_parser(__doc__)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="one training of each twin")
    parser.add_argument("--keep", action="store_true", help="keep what the results hold of other strategies")
    options = parser.parse_args(arguments)
    path, twins = options.results / "normalization.json", []
    with tempfile.TemporaryDirectory() as scratch:
        for strategy in options.strategies:
            twins.append(measure(strategy, options.seeds, Path(scratch)))
            found = f"batch {twins[-1].batch:6.1%}  group {twins[-1].group:6.1%}  lost {twins[-1].most_lost:6.1%}"
            print(f"{strategy:14} {found}", flush=True)
    if options.keep and path.exists():
        before = [Twins(**row) for row in json.loads(path.read_text(encoding="utf-8"))["twins"]]
        anew = {each.strategy: each for each in twins}
        twins = [anew.pop(each.strategy, each) for each in before] + list(anew.values())
    found = problems(twins)
    facts = {"machine": machine(Path.cwd()), "sites": SITES, "training": TRAINING}
    write_json(path, {**facts, "twins": [asdict(each) for each in twins]})
    print("\n".join(found) or "No strategy harms the buffers.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
