#!/usr/bin/env python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Deal handwritten digits to sites, unevenly, and hold out a test set.

Real sites differ: each sees its own mixture of labels. For every label, the shares of the sites are drawn from a
Dirichlet distribution; a small alpha makes the sites very different, a large one makes them alike.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGITS = Path(__file__).with_name("digits.csv.gz")
BRIGHTEST = 16
LABELS = 10
SMALLEST_SHARD = 20
ATTEMPTS = 1000


class DealError(Exception):
    """The digits cannot be dealt as asked."""


@dataclass(frozen=True)
class Examples:
    """Pixels (float32, n by 64, from 0 to 1) and labels (int64, n)."""

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.y)

    def pick(self, indices: NDArray[np.int64]) -> Examples:
        """Return the examples at the indices, in their order."""
        return Examples(self.x[indices], self.y[indices])

    def save(self, path: Path) -> None:
        """Write the examples to an .npz file; the same examples give the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, x=self.x, y=self.y)


def load(path: Path = DIGITS) -> Examples:
    """Read the digits."""
    table = np.loadtxt(path, delimiter=",", dtype=np.int64)
    return Examples((table[:, :-1] / BRIGHTEST).astype(np.float32), table[:, -1])


def hold_out(examples: Examples, fraction: float, rng: np.random.Generator) -> tuple[Examples, Examples]:
    """Split off a test set at random; return the rest and the test set."""
    order = rng.permutation(len(examples))
    size = round(fraction * len(examples))
    return examples.pick(order[size:]), examples.pick(order[:size])


def deal(examples: Examples, shards: int, alpha: float, rng: np.random.Generator) -> list[Examples]:
    """Deal every example to one of the shards, with shares of each label drawn from a Dirichlet distribution."""
    for dummy in range(ATTEMPTS):
        owners = _draw_owners(examples.y, shards, alpha, rng)
        if np.bincount(owners, minlength=shards).min() >= SMALLEST_SHARD:
            return [examples.pick(np.flatnonzero(owners == shard)) for shard in range(shards)]
    raise DealError(
        f"--alpha is {alpha}, which leaves one of {shards} sites with fewer than {SMALLEST_SHARD} of"
        f" {len(examples)} digits in each of {ATTEMPTS} attempts. Raise --alpha or name fewer sites."
    )


def _draw_owners(labels: NDArray[np.int64], shards: int, alpha: float, rng: np.random.Generator) -> NDArray[np.int64]:
    owners = np.empty(len(labels), np.int64)
    for label in range(LABELS):
        indices = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(shards, alpha))
        cuts = np.round(np.cumsum(shares)[:-1] * len(indices)).astype(np.int64)
        for shard, part in enumerate(np.split(indices, cuts)):
            owners[part] = shard
    return owners


def _summary(name: str, examples: Examples, width: int) -> str:
    counts = np.bincount(examples.y, minlength=LABELS)
    return f"{name:{width}}  {len(examples):4} digits  " + "  ".join(f"{d}: {n:3}" for d, n in enumerate(counts))


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _fraction(text: str) -> float:
    value = float(text)
    if not 0 < value < 1:
        raise ValueError
    return value


def _site(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?", text):
        raise ValueError
    return text


# argparse names the type in its message: "invalid number above 0 value: '-1'".
_positive.__name__ = "number above 0"
_fraction.__name__ = "number between 0 and 1"
_site.__name__ = "site name"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    place = "name of a site, or host/site for one of several sites of a host"
    parser.add_argument("sites", nargs="+", type=_site, metavar="SITE", help=place)
    parser.add_argument("--output", type=Path, required=True, help="directory to write to")
    parser.add_argument("--alpha", type=_positive, default=0.5, help="how alike the sites are (default: %(default)s)")
    parser.add_argument("--test-fraction", type=_fraction, default=0.2, help="held-out share (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=42, help="the same seed deals the same (default: %(default)s)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Deal the digits and say what each site got."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if len(set(options.sites)) != len(options.sites):
        parser.error(f"a site is named twice: {' '.join(options.sites)}")
    rng = np.random.default_rng(abs(options.seed))
    rest, test = hold_out(load(), options.test_fraction, rng)
    try:
        shards = deal(rest, len(options.sites), options.alpha, rng)
    except DealError as error:
        print(error, file=sys.stderr)
        return 1
    width = max(map(len, ["test", *options.sites]))
    test.save(options.output / "test.npz")
    print(_summary("test", test, width))
    for site, shard in zip(options.sites, shards, strict=True):
        shard.save(options.output / site / "train.npz")
        print(_summary(site, shard, width))
    return 0


if __name__ == "__main__":
    sys.exit(main())
