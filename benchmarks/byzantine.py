# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what each strategy makes of sites that lie: accuracy with none, one and two of eleven that attack.

An attacker sends what it has learned with the sign flipped and ten times as large. Robust strategies are set up to
withstand two attackers in every column, as an operator does who cannot know how many there are. Every figure is the
mean over several seeds, which deal the digits and begin the model anew. Sites that are alike are what the papers
assume; with unlike sites, the second table, an honest update may look like an outlier too.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from common import machine, new_parser, save, subplots, write_json
from simulation import Simulation

from fedops_kit.knowledge._config.strategies import STRATEGIES as ROWS

SITES = 11  # Bulyan needs 4 x 2 + 3
ATTACKERS = (0, 1, 2)
ATTACK = {"attack": "sign-flip", "attack-scale": 10.0}
SEEDS = (1, 2, 3)
TRAINING = {"num_rounds": 30, "local_epochs": 3, "demo_attacks": True}
ALIKE, UNLIKE = 100.0, 1.0  # of the Dirichlet distribution that deals the labels
WITHIN = 0.02  # of the accuracy without attackers: what a robust strategy may lose
COLLAPSED = 0.5  # an accuracy below this is no model of ten digits

ROBUST = tuple(strategy.name for strategy in ROWS.values() if strategy.robust)
STRATEGIES: Mapping[str, Mapping[str, object]] = {
    "FedAvg": {},
    "FedProx": {"proximal_mu": 0.1},
    "FedAdam": {"server_lr": 0.01},
    "FedMedian": {},
    "FedTrimmedAvg": {"trim_beta": 0.2},
    "Krum": {"num_malicious": 2},
    "MultiKrum": {"num_malicious": 2, "num_nodes_to_select": 7},
    "Bulyan": {"num_malicious": 2},
}


@dataclass(frozen=True)
class Outcome:
    """What one strategy reached on one kind of sites, by the number of attackers."""

    strategy: str
    alpha: float
    accuracy: dict[str, float]  # the mean over the seeds, by the number of attackers
    lowest: dict[str, float]  # the worst of the seeds

    def lost(self, attackers: int) -> float:
        """Return by how much the accuracy fell short of that without attackers."""
        return self.accuracy["0"] - self.accuracy[str(attackers)]


def measure(strategy: str, alpha: float, seeds: Sequence[int], scratch: Path, **changes: object) -> Outcome:
    """Train one strategy with each number of attackers and each seed."""
    reached: dict[str, list[float]] = {str(number): [] for number in ATTACKERS}
    for seed in seeds:
        simulation = Simulation.dealt(scratch / f"{alpha:g}-{seed}", SITES, alpha, seed)
        for number in ATTACKERS:
            variables = {"strategy": strategy, "seed": seed, **STRATEGIES[strategy], **TRAINING, **changes}
            liars = dict.fromkeys(simulation.sites[:number], ATTACK)
            reached[str(number)].append(simulation.train(variables, liars)[-1]["accuracy"])
    return Outcome(
        strategy,
        alpha,
        {number: round(statistics.mean(values), 4) for number, values in reached.items()},
        {number: round(min(values), 4) for number, values in reached.items()},
    )


def problems(outcomes: Sequence[Outcome]) -> list[str]:
    """Say which outcomes with sites that are alike are not what is claimed."""
    found = []
    for outcome in (outcome for outcome in outcomes if outcome.alpha == ALIKE):
        for number in ATTACKERS[1:]:
            accuracy = outcome.accuracy[str(number)]
            if outcome.strategy in ROBUST and outcome.lost(number) > WITHIN:
                found.append(f"{outcome.strategy} loses {outcome.lost(number):.1%} to {number} attackers")
            if outcome.strategy not in ROBUST and accuracy > COLLAPSED:
                found.append(f"{outcome.strategy} still reaches {accuracy:.1%} with {number} attackers")
    return found


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw accuracy by strategy and number of attackers, for each kind of sites."""
    alphas = list(dict.fromkeys(outcome.alpha for outcome in outcomes))
    figure, rooms = subplots(len(alphas), figsize=(8 * len(alphas), 4.5), squeeze=False)
    for axes, alpha in zip(rooms[0], alphas, strict=True):
        rows = [outcome for outcome in outcomes if outcome.alpha == alpha]
        for shift, number in enumerate(ATTACKERS):
            places = [place + 0.27 * (shift - 1) for place in range(len(rows))]
            heights = [100 * row.accuracy[str(number)] for row in rows]
            axes.bar(places, heights, width=0.26, label=f"{number} of {SITES} attack", color=f"C{(0, 1, 3)[shift]}")
        axes.set(title=f"Sites that are {'alike' if alpha == ALIKE else 'unlike'} (alpha = {alpha:g})", ylim=(0, 115))
        axes.set_ylabel("accuracy in % (test set of the server)")
        axes.set_xticks(range(len(rows)), [row.strategy for row in rows], rotation=20)
        axes.set_yticks(range(0, 101, 20))
        axes.legend(loc="upper center", ncols=len(ATTACKERS))
        axes.grid(axis="y", alpha=0.3)
    save(figure, path)


def told(outcome: Outcome) -> str:
    """Say one outcome in a line."""
    figures = "  ".join(f"f={number} {accuracy:6.1%}" for number, accuracy in outcome.accuracy.items())
    return f"alpha {outcome.alpha:5g}   {outcome.strategy:14} {figures}"


def main(arguments: list[str] | None = None) -> int:
    """Train all of it, write figures and picture; exit 1 when a claim does not hold."""
    parser = new_parser(__doc__)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=list(STRATEGIES), metavar="STRATEGY")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="one training each")
    parser.add_argument("--alphas", type=float, nargs="+", default=[ALIKE, UNLIKE], help="how alike the sites are")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="byzantine-") as scratch:
        for alpha in options.alphas:
            for strategy in options.strategies:
                outcomes.append(measure(strategy, alpha, options.seeds, Path(scratch)))
                print(told(outcomes[-1]), flush=True)
    content: dict[str, Any] = {
        "machine": machine(Path.cwd()),
        "sites": SITES,
        "attack": ATTACK,
        "seeds": options.seeds,
        "training": TRAINING,
        "parameters": {strategy: STRATEGIES[strategy] for strategy in options.strategies},
        "results": [asdict(outcome) for outcome in outcomes],
    }
    write_json(options.results / "byzantine.json", content)
    draw(outcomes, options.results / "byzantine.png")
    for problem in (found := problems(outcomes)):
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
