# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How much a site counts. Nobody can check how many examples it says it has; what a lie is worth can be bounded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

UNIFORM = "uniform"
_JUMP = 2.0  # a claim that has changed by more than this factor since the site's last one is told


@dataclass(frozen=True)
class Weighting:
    """What becomes of the claims of a round (fl_weighting, fl_max_examples, fl_max_weight_share)."""

    kind: str = "examples"
    most: int = 0  # examples that any site counts for; 0: no bound
    most_shares: float = 0.0  # equal shares of a round that any site has at most; 0: no bound

    def weights(self, claims: Sequence[float]) -> list[float]:
        """Return the weights of the sites of one mean; the claims themselves where nothing bounds them."""
        if self.kind == UNIFORM:
            return [1] * len(claims)
        held = [min(claim, self.most) for claim in claims] if self.most else list(claims)
        return _bounded(held, self.most_shares / len(held)) if self.most_shares and held else held


@dataclass
class Claims:
    """Who has claimed what, from round to round; a run that goes on begins with what the one before has heard."""

    last: dict[str, float] = field(default_factory=dict)
    called: Callable[[str], str] = str  # what a site is called among the last ones
    largest: str = ""  # the site that claims more than all others together, in the newest round

    def remarkable(self, claims: Mapping[str, float], known: str = "") -> Iterator[str]:
        """Say what an operator should know of the claims of a round, by site; that ``known`` has most is known."""
        total, self.largest = math.fsum(claims.values()), ""
        for site, claim in claims.items():
            if len(claims) > 1 and 2 * claim > total:
                self.largest = site
                if site != known:
                    yield f"{site} claims {claim:g} of {total:g} examples, more than all other sites together"
            before = self.last.get(self.called(site), claim)
            if not before / _JUMP <= claim <= before * _JUMP:
                yield f"{site} claims {claim:g} examples, and claimed {before:g} before"
        self.last.update({self.called(site): claim for site, claim in claims.items()})


def _bounded(claims: Sequence[float], share: float) -> list[float]:
    """Lower the largest claims, to one height, until none is more than this share of what is then the whole."""
    ordered = sorted(claims, reverse=True)
    # From the smallest on: what the others have is lost in a sum with a claim of 2^53.
    rests = list(accumulate(float(claim) for claim in reversed(ordered)))[::-1]
    for held, (claim, rest) in enumerate(zip(ordered, rests, strict=True)):
        free = 1 - held * share
        if free <= 0:
            break
        height = share * rest / free
        if claim <= height * (1 + 1e-12):
            return [min(each, height) for each in claims] if held else list(claims)
    return [min(each, ordered[-1]) for each in claims]
