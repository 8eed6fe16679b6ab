# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The epsilon that releases with Gaussian noise have spent: Renyi differential privacy, turned into epsilon and delta.

The same numbers as those of dp-accounting's C(RdpAccountant), which Flower's own accounting is made of, from the same
orders; a test holds each against the other. A host is spared SciPy for it, and a console without it can plan.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

# What dp-accounting looks at when nobody says anything else.
ORDERS: tuple[float, ...] = (
    *(1 + tenth / 10.0 for tenth in range(1, 100)),
    *map(float, range(11, 64)),
    128.0,
    256.0,
    512.0,
    1024.0,
)
_UNSTABLE = 1.01  # below this order the bound is of no use
MOST_RELEASES = 1 << 40


def epsilon(releases: Mapping[float, int], delta: float) -> float:
    """The epsilon at delta of so many releases, by the noise multiplier of each.

    That is the standard deviation of the noise over the farthest that one site can move what is released.
    """
    counts = {noise: count for noise, count in releases.items() if count}
    if not counts:
        return 0.0
    if any(noise <= 0 or noise**2 == 0 for noise in counts):
        return math.inf
    return min(_at(order, counts, delta) for order in ORDERS)


def _at(order: float, counts: Mapping[float, int], delta: float) -> float:
    spent = sum(count * (order / (2 * noise**2)) for noise, count in counts.items())
    if delta**2 + math.expm1(-spent) > 0:
        return 0.0
    if order <= _UNSTABLE or math.isinf(spent):
        return math.inf
    return max(0.0, spent + math.log1p(-1 / order) - math.log(delta * order) / (order - 1))


def rounds_within(noise: float, delta: float, budget: float, spent: Mapping[float, int] | None = None) -> int:
    """How many further releases with this noise stay within a budget, beside those that there were."""
    before = dict(spent or {})

    def fits(count: int) -> bool:
        return epsilon({**before, noise: before.get(noise, 0) + count}, delta) <= budget

    if not fits(1):
        return 0
    low, high = 1, 2
    while high < MOST_RELEASES and fits(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def least_noise(rounds: int, delta: float, budget: float) -> float:
    """The smallest noise multiplier of two digits with which so many releases stay within a budget."""
    low, high = 0.0, 1.0
    while epsilon({high: rounds}, delta) > budget:
        low, high = high, 2 * high
        if high > 1e9:
            return high
    while high - low > 0.001 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if epsilon({middle: rounds}, delta) <= budget else (middle, high)
    step = 10.0 ** (math.floor(math.log10(high)) - 1)
    return float(f"{math.ceil(high / step) * step:.6g}")
