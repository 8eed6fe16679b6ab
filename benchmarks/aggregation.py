# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the present arithmetic costs: how long the replies of a round take to become a model, as in both releases.

The first release handed whole replies to Flower's class. Now buffers are combined by themselves, Krum, MultiKrum and
Bulyan judge updates in float64, and claims are bounded. Both get the same replies in turn, in one process; what counts
is processor time, the least of some turns. The sites' training and the way to the SuperLink are no part of it.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import ROOT, machine, new_parser, quiet_flower, write_json

sys.path.insert(0, str(ROOT / "files/fab"))

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.supercore.task_identity import TaskIdentity

from fedops_app import strategies
from fedops_kit.arithmetic import FIRST, NEWEST, Arithmetic, arithmetics
from fedops_kit.knowledge._config.strategies import STRATEGIES as ROWS
from fedops_kit.knowledge._config.training import Training

SITES, LAYERS, TURNS = 7, 60, 3
MEGABYTES = 100
WITHIN = 1.1  # times what the first release took
VARIANCE = "norm.running_var"
PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "Krum": {"fl_num_malicious": 1},
    "MultiKrum": {"fl_num_malicious": 1, "fl_num_nodes_to_select": 4},
    "Bulyan": {"fl_num_malicious": 1},
}


@dataclass(frozen=True)
class Cost:
    """The processor seconds of one aggregation."""

    strategy: str
    first: float  # as the first release did it
    now: float
    turns: int  # of which the fastest counts

    @property
    def ratio(self) -> float:
        """Return how many times as long it takes now."""
        return self.now / self.first


class Nodes:
    """As much of a grid as configure_train asks for."""

    def get_node_ids(self) -> range:
        """Return the nodes, by number."""
        return range(1, SITES + 1)


def replied(megabytes: float) -> tuple[ArrayRecord, list[ArrayRecord]]:
    """Return a model of so many megabytes, and what the sites have made of it."""
    rng, columns = np.random.default_rng(0), 500
    shapes = {
        f"layer.{layer}.weight": (max(1, int(megabytes * 1e6 / 4 / LAYERS / columns)), columns)
        for layer in range(LAYERS)
    }
    shapes[VARIANCE] = (columns,)
    numbers = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}

    def moved(step: float) -> ArrayRecord:
        return ArrayRecord(
            {
                name: Array(values + np.float32(step) * rng.standard_normal(values.shape, np.float32))
                for name, values in numbers.items()
            }
        )

    return moved(0.0), [moved(0.01) for _site in range(SITES)]


def measure(strategy: str, model: ArrayRecord, replies: Sequence[ArrayRecord], turns: int = TURNS) -> Cost:
    """Aggregate the same replies both ways in turn."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1  # as in Flower's process
    asked = {"fl_strategy": strategy, "fl_min_available_clients": SITES, **PARAMETERS.get(strategy, {})}
    training = Training.from_variables(asked)
    ways = arithmetics(model, [VARIANCE], training.values)
    spent = [{number: _once(way, training, model, replies) for number, way in ways.items()} for _turn in range(turns)]
    first, now = (round(min(each[number] for each in spent), 3) for number in (FIRST, NEWEST))
    return Cost(strategy, first, now, turns)


def _once(way: Arithmetic, training: Training, model: ArrayRecord, replies: Sequence[ArrayRecord]) -> float:
    strategy, before = strategies.build(training), ArrayRecord(dict(model))
    asked = list(strategy.configure_train(1, before, ConfigRecord(), Nodes()))
    messages = [
        Message(
            RecordDict(
                {
                    "arrays": ArrayRecord(dict(reply)),
                    "metrics": MetricRecord({"num-examples": 10 + number, "train_loss": 1.0}),
                }
            ),
            reply_to=message,
        )
        for number, (message, reply) in enumerate(zip(asked, replies, strict=True))
    ]
    gc.collect()
    begin = time.process_time()
    way.prepare(strategy)
    made = way.aggregate(strategy, 1, before, messages).arrays
    assert made is not None
    way.like(made, before)
    return time.process_time() - begin


def problems(costs: Sequence[Cost]) -> list[str]:
    """Say which strategies take longer than they may."""
    return [f"{each.strategy} takes {each.ratio:.2f} times as long" for each in costs if each.ratio > WITHIN]


def main(arguments: list[str] | None = None) -> int:
    """Aggregate by all strategies and write the figures; exit 1 where one takes too long."""
    parser = new_parser(__doc__)
    parser.add_argument("--strategies", nargs="+", choices=ROWS, default=list(ROWS), metavar="STRATEGY")
    parser.add_argument("--megabytes", type=float, default=MEGABYTES, help="of the model")
    parser.add_argument("--turns", type=int, default=TURNS, help="of which the fastest counts")
    parser.add_argument("--keep", action="store_true", help="keep what the results hold of other strategies")
    options = parser.parse_args(arguments)
    path = options.results / "aggregation.json"
    costs: dict[str, Cost] = {}
    if options.keep and path.exists():
        costs = {row["strategy"]: Cost(**row) for row in json.loads(path.read_text(encoding="utf-8"))["costs"]}
    with quiet_flower(logging.ERROR):
        model, replies = replied(options.megabytes)
        for strategy in options.strategies:
            found = costs[strategy] = measure(strategy, model, replies, options.turns)
            print(f"{strategy:14} first {found.first:6.2f} s  now {found.now:6.2f} s  {found.ratio:.2f}", flush=True)
    rows = [costs[name] for name in ROWS if name in costs]
    facts = {"machine": machine(Path.cwd()), "sites": SITES, "megabytes": options.megabytes, "arrays": len(model)}
    write_json(path, {**facts, "costs": [asdict(row) for row in rows]})
    print("\n".join(found := problems(rows)) or f"No strategy takes more than {WITHIN} times as long.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
