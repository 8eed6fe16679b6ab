# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every strategy once more, from its formula: float64, one number after another, and nothing of the app or of Flower.

Where the paper and Flower differ, ``paper`` says which is meant. A model is a dict of arrays, a round the global model,
the replies in the order of their sites, how many examples each was trained on, and (q-FedAvg) the losses.

Sources: FedAvg 1602.05629; FedAvgM 1909.06335; FedAdagrad, FedAdam, FedYogi 2003.00295, algorithm 2; Krum 1703.02757;
Bulyan 1802.07927; median and trimmed mean 1803.01498; q-FedAvg 1905.10497; mixing 2302.01772, algorithm 1. Flower 1.41
by reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Model = dict[str, NDArray]


@dataclass(frozen=True)
class Replied:
    """One round, as plain numbers."""

    before: Model
    replies: Sequence[Model]
    examples: Sequence[float]
    losses: Sequence[float] = ()

    def of(self, names: Sequence[str]) -> Replied:
        """The same round of a part of the model."""
        parts = [{name: reply[name] for name in names} for reply in self.replies]
        return Replied({name: self.before[name] for name in names}, parts, self.examples, self.losses)


def wide(model: Mapping[str, NDArray]) -> Model:
    return {name: np.asarray(values, np.float64) for name, values in model.items()}


def by_coordinate(replies: Sequence[Model], rule: Callable[[list[float]], float]) -> Model:
    """Apply a rule to the values that the replies have in one coordinate, coordinate after coordinate."""
    made = {}
    for name in replies[0]:
        columns = zip(*(reply[name].reshape(-1).tolist() for reply in replies), strict=True)
        made[name] = np.array([rule(list(column)) for column in columns]).reshape(replies[0][name].shape)
    return made


def weighted(replies: Sequence[Model], weights: Sequence[float]) -> Model:
    total = math.fsum(weights)
    return by_coordinate(replies, lambda column: math.fsum(w * x for w, x in zip(weights, column, strict=True)) / total)


def median(column: list[float]) -> float:
    ordered, half = sorted(column), len(column) // 2
    return ordered[half] if len(column) % 2 else (ordered[half - 1] + ordered[half]) / 2


def trimmed_mean(column: list[float], beta: float) -> float:
    cut = int(beta * len(column))
    kept = sorted(column)[cut : len(column) - cut]
    return math.fsum(kept) / len(kept)


# --- who is chosen ---


def distance(one: Model, other: Model) -> float:
    """The square of the Euclidean distance."""
    return math.fsum((a - b) ** 2 for name in one for a, b in zip(one[name].flat, other[name].flat, strict=True))


def updates(it: Replied) -> list[Model]:
    return [{name: reply[name] - it.before[name] for name in reply} for reply in it.replies]


def scores(vectors: Sequence[Model], malicious: int) -> list[float]:
    """Krum's: the sum of the distances to the n - f - 2 nearest others."""
    nearest = max(1, len(vectors) - malicious - 2)
    return [
        math.fsum(sorted(distance(one, other) for j, other in enumerate(vectors) if j != i)[:nearest])
        for i, one in enumerate(vectors)
    ]


def chosen(it: Replied, malicious: int, count: int) -> list[int]:
    """The replies with the lowest scores, the best first."""
    found = scores(updates(it), malicious)
    return sorted(range(len(found)), key=lambda i: (found[i], i))[:count]


def chosen_one_by_one(it: Replied, malicious: int, count: int) -> list[int]:
    """Bulyan's paper: the best of those that are left, and so on."""
    vectors, left, taken = updates(it), list(range(len(it.replies))), []
    while len(taken) < count:
        found = scores([vectors[i] for i in left], malicious)
        best = left[found.index(min(found))] if len(left) > 1 else left[0]
        taken.append(best)
        left.remove(best)
    return taken


def mixed(it: Replied, malicious: int) -> Replied:
    """Nearest-neighbour mixing: in the place of each reply, the mean of the n - f nearest to it, itself among them."""
    vectors = updates(it)
    made = []
    for i, one in enumerate(vectors):
        order = sorted(range(len(vectors)), key=lambda j: (j != i, distance(one, vectors[j]), j))
        near = [it.replies[j] for j in order[: len(vectors) - malicious]]
        made.append(weighted(near, [1.0] * len(near)))
    return Replied(it.before, made, it.examples, it.losses)


# --- strategies; those with a memory are objects ---


def fedavg(it: Replied) -> Model:
    return weighted(it.replies, it.examples)


def fedmedian(it: Replied) -> Model:
    return by_coordinate(it.replies, median)


def fedtrimmedavg(it: Replied, beta: float) -> Model:
    return by_coordinate(it.replies, lambda column: trimmed_mean(column, beta))


def krum(it: Replied, malicious: int) -> Model:
    return it.replies[chosen(it, malicious, 1)[0]]


def multikrum(it: Replied, malicious: int, count: int, paper: bool = False) -> Model:
    who = chosen(it, malicious, count)
    return weighted([it.replies[i] for i in who], [1.0 if paper else it.examples[i] for i in who])


def bulyan(it: Replied, malicious: int, paper: bool = False, ties: int = 1) -> Model:
    """``ties`` says which of two values counts that are equally far from the median: 1 the smaller, -1 the larger."""
    count = len(it.replies) - 2 * malicious
    who = (chosen_one_by_one if paper else chosen)(it, malicious, count)

    def rule(column: list[float]) -> float:
        middle = median(column)
        near = sorted(column, key=lambda value: (abs(value - middle), ties * value))[: count - 2 * malicious]
        return math.fsum(near) / len(near)

    return by_coordinate([it.replies[i] for i in who], rule)


def qfedavg(it: Replied, q: float, client_lr: float) -> Model:
    lipschitz, sums, total = 1 / client_lr, {name: np.zeros_like(x) for name, x in it.before.items()}, 0.0
    for update, loss in zip(updates(it), it.losses, strict=True):
        gradient = {name: -lipschitz * values for name, values in update.items()}
        norm = math.fsum(float(value) ** 2 for values in gradient.values() for value in values.flat)
        for name, values in gradient.items():
            sums[name] = sums[name] + (loss + 1e-10) ** q * values
        total += q * (loss + 1e-10) ** (q - 1) * norm + lipschitz * (loss + 1e-10) ** q
    return {name: it.before[name] - values / total for name, values in sums.items()}


@dataclass
class FedAvgM:
    server_lr: float
    momentum: float
    velocity: Model = field(default_factory=dict)

    def __call__(self, it: Replied) -> Model:
        mean, made = fedavg(it), {}
        for name, before in it.before.items():
            self.velocity[name] = self.momentum * self.velocity.get(name, 0.0) + (before - mean[name])
            made[name] = before - self.server_lr * self.velocity[name]
        return made


@dataclass
class Adaptive:
    """Algorithm 2 of Reddi et al.: m and v of the mean update, and a step along m / (sqrt(v) + tau)."""

    kind: str
    eta: float
    beta_1: float
    beta_2: float
    tau: float
    paper: bool = False
    rounds: int = 0
    m: Model = field(default_factory=dict)
    v: Model = field(default_factory=dict)

    def __call__(self, it: Replied) -> Model:
        self.rounds += 1
        mean, made = fedavg(it), {}
        for name, before in it.before.items():
            delta = mean[name] - before
            first, second = np.zeros_like(before), np.full_like(before, self.tau**2 if self.paper else 0.0)
            m, v, square = self.m.get(name, first), self.v.get(name, second), delta**2
            self.m[name] = self.beta_1 * m + (1 - self.beta_1) * delta
            self.v[name] = {
                "FedAdagrad": v + square,
                "FedAdam": self.beta_2 * v + (1 - self.beta_2) * square,
                "FedYogi": v - (1 - self.beta_2) * square * np.sign(v - square),
            }[self.kind]
            eta = self.eta
            if self.kind == "FedAdam" and not self.paper:  # Flower's correction, one round ahead of Kingma and Ba's
                ahead = self.rounds + 1
                eta *= math.sqrt(1 - self.beta_2**ahead) / (1 - self.beta_1**ahead)
            made[name] = before + eta * self.m[name] / (np.sqrt(self.v[name]) + self.tau)
        return made


# --- buffers: what a model holds beside its parameters ---


def held(it: Replied, malicious: int) -> Replied:
    """None may leave what lies between the f smallest and the f largest values of all replies."""
    low = by_coordinate(it.replies, lambda column: sorted(column)[malicious])
    high = by_coordinate(it.replies, lambda column: sorted(column)[len(column) - 1 - malicious])
    replies = [{name: np.clip(reply[name], low[name], high[name]) for name in reply} for reply in it.replies]
    return Replied(it.before, replies, it.examples)


def buffers_averaged(it: Replied, who: Sequence[int] | None = None) -> Model:
    """The mean by examples over those that the strategy kept."""
    who = range(len(it.replies)) if who is None else who
    return weighted([it.replies[i] for i in who], [it.examples[i] for i in who])


def buffers_of_the_chosen(it: Replied, malicious: int, who: Sequence[int]) -> Model:
    """The same, held between the others."""
    return buffers_averaged(held(it, malicious) if malicious else it, who)


def bounded(claims: Sequence[float], times: float) -> list[float]:
    """Weights of which none has more than so many equal shares: the largest are lowered to one another, bit by bit."""
    low, high = 0.0, float(max(claims))
    for _step in range(200):
        middle = (low + high) / 2
        held = [min(claim, middle) for claim in claims]
        if middle * len(claims) <= times * math.fsum(held) * (1 + 1e-15):
            low = middle
        else:
            high = middle
    held = [min(claim, low) for claim in claims]
    return list(claims) if max(claims) * len(claims) <= times * math.fsum(claims) else held
