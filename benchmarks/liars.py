# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what each strategy makes of liars that know better than to be loud: accuracy by attack, of eleven sites.

One or two of them lie. Every strategy is set to withstand two, alone and behind nearest-neighbour mixing.

The liars know what all honest sites have learned in a round, which is the most that the papers grant them:

- a little is enough: the mean of the honest models, less 1.5 standard deviations (Baruch et al., arXiv:1902.06156);
- inner product: the global model, less epsilon times the mean honest update (Xie et al., arXiv:1903.03936);
- labels: honest training on labels that are exchanged; with inflated examples, it also claims 2^53 of them;
- buffers: honest parameters, and running statistics and counters that are not (a network with batch normalization);
- NaN: no numbers at all, which never reaches a strategy.
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from byzantine import ALIKE, SEEDS, SITES, STRATEGIES, UNLIKE
from common import machine, new_parser, write_json
from flwr.app import Array, ArrayRecord, Message, RecordDict
from numpy.typing import NDArray
from simulation import SimulatedGrid, Simulation

from fedops_kit.errors import RunFailedError
from fedops_kit.integrity import FINGERPRINT, SITE_RECORD, fingerprint
from fedops_kit.packing import pack, unpack

LIARS = (1, 2)
WITHSTOOD = 2  # liars; what Krum, MultiKrum, Bulyan and the mixing are told
TRAINING = {"num_rounds": 30, "local_epochs": 3}
NAMES = tuple(name for name in STRATEGIES if name not in ("FedProx", "FedAdam"))  # trust everybody, too
NOBODY = "nobody lies"
HUGE = 2**53

Model = dict[str, NDArray]
Lie = Callable[[Model, Model, Sequence[Model]], Model]  # of the global model, of what was learned, of what others have


def _few(honest: Sequence[Model], name: str) -> NDArray:
    return np.stack([model[name] for model in honest]).astype(np.float64)


def little_is_enough(before: Model, learned: Model, honest: Sequence[Model]) -> Model:
    """Hide in the spread of the honest sites."""
    return {name: (each := _few(honest, name)).mean(0) - 1.5 * each.std(0) for name in before}


def inner_product(epsilon: float, before: Model, learned: Model, honest: Sequence[Model]) -> Model:
    """Turn the mean update around."""
    return {name: values - epsilon * (_few(honest, name).mean(0) - values) for name, values in before.items()}


def in_buffers(before: Model, learned: Model, honest: Sequence[Model]) -> Model:
    """Lie where nobody looks."""
    return {
        name: np.full_like(values, 1e4) if "running" in name or "tracked" in name else values
        for name, values in learned.items()
    }


def no_numbers(before: Model, learned: Model, honest: Sequence[Model]) -> Model:
    """Send none."""
    return {name: np.full_like(values, np.nan) for name, values in learned.items()}


@dataclass(frozen=True)
class Attack:
    """What the liars do: to the model that they send, to their labels, and to their number of examples."""

    lie: Lie | None = None
    labels: bool = False
    examples: int = 0
    has_buffers: bool = False  # it needs a model with some


ATTACKS: Mapping[str, Attack] = {
    NOBODY: Attack(),
    "a little is enough": Attack(little_is_enough),
    "inner product 0.5": Attack(partial(inner_product, 0.5)),
    "inner product 2": Attack(partial(inner_product, 2.0)),
    "labels": Attack(labels=True),
    "labels, inflated": Attack(labels=True, examples=HUGE),
    "buffers": Attack(in_buffers, has_buffers=True),
    "NaN": Attack(no_numbers),
}


@dataclass
class CrookedGrid(SimulatedGrid):
    """A grid in which some sites wait for what all others have learned before they reply."""

    attack: Attack = field(default_factory=Attack)
    liars: tuple[str, ...] = ()

    def push_messages(self, messages: Sequence[Message]) -> list[str]:
        """Let all train, then change what the liars send."""
        messages = list(messages)
        found = list(super().push_messages(messages))
        if not messages or messages[0].metadata.message_type != "train":
            return found
        asked = {self.sites[message.metadata.dst_node_id]: message for message in messages}
        trained = {site: self._replies[message.metadata.message_id] for site, message in asked.items()}
        honest = [_numbers(reply) for site, reply in trained.items() if site not in self.liars]
        for site in self.liars:
            if self.attack.lie is not None:
                self._send(trained[site], self.attack.lie(_numbers(asked[site]), _numbers(trained[site]), honest))
            if self.attack.examples:
                trained[site].content.metric_records["metrics"]["num-examples"] = self.attack.examples
        return found

    @staticmethod
    def _send(reply: Message, model: Model) -> None:
        content = _unpacked(reply)
        sent = content.array_records["arrays"]
        record = ArrayRecord({name: Array(np.asarray(model[name]).astype(array.dtype)) for name, array in sent.items()})
        content["arrays"] = record
        content.config_records[SITE_RECORD][FINGERPRINT] = fingerprint(record)
        reply.content = pack(content)


def _unpacked(message: Message) -> RecordDict:
    return unpack(copy.deepcopy(message.content))  # what is unpacked is emptied


def _numbers(message: Message) -> Model:
    return {name: array.numpy() for name, array in _unpacked(message).array_records["arrays"].items()}


@dataclass(frozen=True)
class Outcome:
    """What one strategy reached under one attack on one kind of sites."""

    strategy: str
    attack: str
    alpha: float
    liars: int
    mixed: int  # liars that nearest-neighbour mixing withstands; 0: nothing was mixed
    seeds: list[int]
    accuracy: float | None  # the mean over the seeds; None: the run ended, with too few replies for the strategy
    lowest: float | None

    @property
    def of(self) -> tuple[object, ...]:
        """What was measured."""
        return self.strategy, self.attack, self.alpha, self.liars, self.mixed


def measure(
    strategy: str,
    name: str,
    alpha: float,
    seeds: Sequence[int],
    scratch: Path,
    liars: int = max(LIARS),
    mixed: int = 0,
    **changes: object,
) -> Outcome:
    """Train one strategy under one attack with each seed."""
    from normalized import Normalized

    attack, reached = ATTACKS[name], []
    liars = liars if name != NOBODY else 0
    for seed in seeds:
        simulation = Simulation.dealt(scratch / f"{name}-{alpha:g}-{seed}-{liars}", SITES, alpha, seed)
        crooked = simulation.sites[:liars]
        if attack.labels:
            for site in crooked:
                path = simulation.root / site / "train.npz"
                with np.load(path) as data:
                    x, y = data["x"], data["y"]
                np.savez(path, x=x, y=9 - y)
        enough = {"min_fit_clients": SITES - liars, "on_shortfall": "fail"}  # what holds no numbers is left out
        variables = {"strategy": strategy, "seed": seed, **enough, **STRATEGIES[strategy], **TRAINING}
        with Normalized().in_place() if attack.has_buffers else nullcontext():
            try:
                history = simulation.train(
                    {**variables, "nnm_malicious": mixed, **changes},
                    grid=partial(CrookedGrid, attack=attack, liars=crooked),
                )
            except RunFailedError:
                return Outcome(strategy, name, alpha, liars, mixed, list(seeds), None, None)
        reached.append(history[-1]["accuracy"])
    mean = round(statistics.mean(reached), 4)
    return Outcome(strategy, name, alpha, liars, mixed, list(seeds), mean, round(min(reached), 4))


def told(outcome: Outcome) -> str:
    """Say what was reached."""
    return "the run ends" if outcome.accuracy is None else f"{outcome.accuracy:.1%} ({outcome.lowest:.1%})"


def main(arguments: list[str] | None = None) -> int:
    """Train all of it and write the figures."""
    parser = new_parser(__doc__)
    parser.add_argument("--strategies", nargs="+", choices=NAMES, default=list(NAMES), metavar="STRATEGY")
    parser.add_argument("--attacks", nargs="+", choices=ATTACKS, default=list(ATTACKS), metavar="ATTACK")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="one training each")
    parser.add_argument("--alphas", type=float, nargs="+", default=[ALIKE, UNLIKE], help="how alike the sites are")
    parser.add_argument("--liars", type=int, nargs="+", default=list(LIARS), help="how many sites lie")
    parser.add_argument("--mixed", type=int, nargs="+", default=[0, WITHSTOOD], help="fl_nnm_malicious, each")
    parser.add_argument("--rounds", type=int, default=TRAINING["num_rounds"], help="of each training")
    parser.add_argument("--keep", action="store_true", help="keep what the results hold of anything else")
    options = parser.parse_args(arguments)
    path, training = options.results / "liars.json", {**TRAINING, "num_rounds": options.rounds}
    outcomes: dict[tuple[object, ...], Outcome] = {}
    if options.keep and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["training"] != training:
            parser.error(f"{path} is of other trainings, {before['training']}; leave out --keep.")
        outcomes = {found.of: found for found in (Outcome(**row) for row in before["results"])}
    with tempfile.TemporaryDirectory(prefix="liars-") as scratch:
        for alpha in options.alphas:
            for name in options.attacks:
                for liars in options.liars if name != NOBODY else [0]:
                    for strategy in options.strategies:
                        for mixed in options.mixed:
                            asked = (strategy, name, alpha, options.seeds, Path(scratch), liars, mixed)
                            outcome = measure(*asked, num_rounds=options.rounds)
                            outcomes[outcome.of] = outcome
                            about = f"alpha {alpha:5g}  {liars} lie  {name:20} {strategy:14} mixed {mixed}"
                            print(f"{about}  {told(outcome)}", flush=True)
    content = {
        "machine": machine(Path.cwd()),
        "sites": SITES,
        "withstood": WITHSTOOD,
        "training": training,
        "results": [asdict(outcome) for outcome in outcomes.values()],
    }
    write_json(path, content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
