# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what FedProx does for sites that are very different: client drift and accuracy by mu, beside FedAvg.

Client drift is how far a site's model moves away from the global one in its local training: the L2 norm of its update,
the mean over sites and rounds. The digits are dealt so that most sites hardly know more than two or three of them,
and each trains for many local epochs, which is what makes clients drift.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from common import machine, new_parser, save, subplots, write_json
from flwr.app import Message
from numpy.typing import NDArray
from simulation import Simulation

SITES = 10
ALPHA = 0.1
SEEDS = (1, 2, 3)
MUS = (0.0, 0.01, 0.1, 0.3, 1.0, 3.0)  # 0 is FedAvg
TRAINING = {"num_rounds": 30, "local_epochs": 20}
EARLY = 5  # the round after which the first accuracy is taken


@dataclass
class Drift:
    """Watches the messages of a training, and measures how far each reply is from the model it began with."""

    norms: list[float] = field(default_factory=list)
    _model: dict[str, NDArray] = field(default_factory=dict)

    def __call__(self, _site: str, message: Message) -> None:
        """Look at a message on its way: a request, or the reply to the last one."""
        if message.metadata.message_type != "train":
            return
        arrays = message.content["arrays"]
        if "config" in message.content:
            self._model = {name: array.numpy() for name, array in arrays.items()}  # the app empties its own
        else:
            squares = (np.square(array.numpy() - self._model[name]).sum() for name, array in arrays.items())
            self.norms.append(math.sqrt(float(sum(squares))))


@dataclass(frozen=True)
class Outcome:
    """What was reached with one mu; means over the seeds."""

    mu: float
    drift: float
    early_accuracy: float  # after EARLY rounds
    accuracy: float  # after the last round
    accuracy_by_round: tuple[float, ...]


def measure(mu: float, seeds: Sequence[int], scratch: Path, **changes: object) -> Outcome:
    """Train with one mu and each seed."""
    drifts, curves = [], []
    for seed in seeds:
        simulation = Simulation.dealt(scratch / str(seed), SITES, ALPHA, seed)
        strategy: Mapping[str, object] = {"strategy": "FedProx", "proximal_mu": mu} if mu else {"strategy": "FedAvg"}
        drift = Drift()
        history = simulation.train({"seed": seed, **TRAINING, **strategy, **changes}, on_the_way=drift)
        drifts.append(statistics.mean(drift.norms))
        curves.append([row["accuracy"] for row in history])
    curve = tuple(round(statistics.mean(values), 4) for values in zip(*curves, strict=True))
    return Outcome(mu, round(statistics.mean(drifts), 4), curve[min(EARLY, len(curve)) - 1], curve[-1], curve)


def draw(outcomes: Sequence[Outcome], path: Path) -> None:
    """Draw drift by mu, and accuracy by round for each mu."""
    figure, (drift, accuracy) = subplots(2)
    names = ["FedAvg" if not outcome.mu else f"mu = {outcome.mu:g}" for outcome in outcomes]
    drift.bar(names, [outcome.drift for outcome in outcomes], color="tab:purple")
    drift.set(title="Client drift", ylabel="L2 norm of a site's update (mean)")
    drift.tick_params(axis="x", rotation=20)
    drift.grid(axis="y", alpha=0.3)
    for name, outcome in zip(names, outcomes, strict=True):
        curve = outcome.accuracy_by_round
        accuracy.plot(range(1, len(curve) + 1), [100 * value for value in curve], label=name)
    accuracy.set(title="Accuracy by round", xlabel="round", ylabel="accuracy in %", ylim=(0, 100))
    accuracy.legend(loc="lower right")
    accuracy.grid(alpha=0.3)
    save(figure, path)


def told(outcome: Outcome) -> str:
    """Say one outcome in a line."""
    return (
        f"mu {outcome.mu:5g}   drift {outcome.drift:.3f}"
        f"   accuracy {outcome.early_accuracy:.1%} after {EARLY} rounds, {outcome.accuracy:.1%} at the end"
    )


def main(arguments: list[str] | None = None) -> int:
    """Train with every mu; write figures and picture. Exit 1 when a larger mu does not mean less drift."""
    parser = new_parser(__doc__)
    parser.add_argument("--mus", type=float, nargs="+", default=list(MUS), help="in ascending order; 0 is FedAvg")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="one training each")
    options = parser.parse_args(arguments)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="drift-") as scratch:
        for mu in sorted(options.mus):
            outcomes.append(measure(mu, options.seeds, Path(scratch)))
            print(told(outcomes[-1]), flush=True)
    write_json(
        options.results / "client_drift.json",
        {
            "machine": machine(Path.cwd()),
            "sites": SITES,
            "alpha": ALPHA,
            "seeds": options.seeds,
            "training": TRAINING,
            "early_round": EARLY,
            "results": [asdict(outcome) for outcome in outcomes],
        },
    )
    draw(outcomes, options.results / "client_drift.png")
    drifts = [outcome.drift for outcome in outcomes]
    if drifts != sorted(drifts, reverse=True):
        print("A larger mu did not always mean less client drift", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
