# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Gaussian noise that nobody can know: from the operating system's randomness, and from no generator that has a state.

Flower takes NumPy's global generator. A task that seeds it makes noise that whoever knows the seed takes away again,
and who knows enough of what it drew can compute the rest.
"""

from __future__ import annotations

import hashlib
import os
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_PIECE = 1 << 18  # numbers that are drawn at a time
_BITS = 53  # of a float64 between 0 and 1


class Noise(Protocol):
    """Where noise comes from."""

    def normal(self, count: int) -> NDArray[np.float64]:
        """Return so many numbers of a normal distribution with mean 0 and standard deviation 1."""


class FreshNoise:
    """Noise of the operating system."""

    def normal(self, count: int) -> NDArray[np.float64]:
        """Return numbers made by the transform of Box and Muller."""
        pairs = (count + 1) // 2
        drawn = np.frombuffer(os.urandom(16 * pairs), np.uint64) >> np.uint64(64 - _BITS)
        length = np.sqrt(-2.0 * np.log((drawn[:pairs] + 1.0) * 2.0**-_BITS))  # of no zero, which has no logarithm
        angle = 2.0 * np.pi * (drawn[pairs:] * 2.0**-_BITS)
        return np.concatenate([length * np.cos(angle), length * np.sin(angle)])[:count]


class SeededNoise:
    """Noise that is the same each time: for tests, and no secret."""

    def __init__(self, *seed: object) -> None:
        digest = hashlib.sha256("/".join(map(str, seed)).encode()).digest()
        self._generator = np.random.RandomState(np.frombuffer(digest, np.uint32))

    def normal(self, count: int) -> NDArray[np.float64]:
        """Return the next numbers of NumPy's old generator, which Flower draws from as well."""
        return self._generator.normal(0.0, 1.0, count)


def noise_for(seed: int, *what: object) -> Noise:
    """Return noise that is a secret, or where there is a seed, the one for this."""
    return SeededNoise(seed, *what) if seed else FreshNoise()


def noised(values: NDArray, deviation: float, noise: Noise) -> NDArray:
    """Return a copy of an array with noise of this standard deviation, in its type."""
    made = np.array(values, order="C")
    row = made.reshape(-1).view(made.real.dtype)  # a complex number is two
    for start in range(0, row.size, _PIECE) if deviation else ():
        part = row[start : start + _PIECE]
        part += (deviation * noise.normal(part.size)).astype(row.dtype)
    return made


def shortened(values: NDArray, base: NDArray, factor: float) -> NDArray:
    """Return the numbers of an update that is shorter by a factor."""
    return np.asarray(base + (values - base) * factor)
