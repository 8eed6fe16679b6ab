# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a site does to its update before it sends it: it is clipped and gets noise, so that the server sees no other.

As Flower's ``LocalDpMod`` does it, but with noise that is a secret, and with what the site itself insists on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import BFLOAT16, in_order_of, is_bfloat16, is_inexact, narrowed, wide
from .knowledge._base.jsonable import is_finite_number
from .knowledge._config.privacy import BETWEEN_ANY_TWO, LOCAL_NOISE, PRIVACY
from .noise import noise_for, noised, shortened

_ASKED = ("clipping_norm", "noise_multiplier", "seed")
# In the node configuration of a site: what it takes part with.
LEAST_NOISE, LONGEST = "privacy-min-noise-multiplier", "privacy-max-clipping-norm"


@dataclass(frozen=True)
class SiteNoise:
    """What is done to an update."""

    clipping_norm: float
    noise_multiplier: float
    seed: int = 0  # of noise that is no secret; 0: it is one

    @classmethod
    def of(cls, config: Mapping[str, Any], node_config: Mapping[str, Any]) -> SiteNoise | None:
        """Return what the server asks for, if the site agrees; None where it asks for nothing."""
        found = None
        if config.get(PRIVACY) == LOCAL_NOISE:
            # A ClientApp starts for each message: only one that adds noise has to read the table.
            from .knowledge._config.table import BY_NAME

            found = cls(**{name: config[BY_NAME[f"{PRIVACY}_{name}"].key] for name in _ASKED})
        least, longest = _number(node_config, LEAST_NOISE), _number(node_config, LONGEST)
        if least is not None and (found is None or found.seed or not found.noise_multiplier >= least):
            raise RuntimeError(f"its node configuration has {LEAST_NOISE} {least:g}, and {_offered(found)}")
        if longest is not None and (found is None or not found.clipping_norm <= longest):
            raise RuntimeError(f"its node configuration has {LONGEST} {longest:g}, and {_offered(found)}")
        return found

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise: two updates that are clipped are at most twice the norm apart."""
        return self.noise_multiplier * BETWEEN_ANY_TWO * self.clipping_norm

    def protected(
        self, made: Mapping[str, Any], received: Mapping[str, NDArray], site: str, number: int
    ) -> dict[str, NDArray]:
        """Return what may leave the site. Integers and booleans are those that it has received."""
        trained = {name: np.asarray(made[name]) for name in received}
        learned = [name for name, values in received.items() if is_inexact(values)]
        norm = math.sqrt(sum(_squares(trained[name], received[name]) for name in learned))
        if not math.isfinite(norm):
            raise RuntimeError("its update is no finite number, so that no noise could hide it")
        noise = noise_for(self.seed, LOCAL_NOISE, number, site)
        found = dict(received)
        for name in learned:
            values, base = wide(trained[name]), wide(received[name])
            if norm > self.clipping_norm:
                values = shortened(values, base, self.clipping_norm / norm)
            kind = BFLOAT16 if is_bfloat16(received[name]) else str(received[name].dtype)
            values = narrowed(noised(values, self.deviation, noise), kind)
            found[name] = values if kind == BFLOAT16 else in_order_of(values, received[name].dtype)
        return found


def _squares(values: NDArray, base: NDArray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        apart = wide(values).astype(np.result_type(wide(values), np.float64)) - wide(base)
        return float(np.square(np.abs(apart)).sum())


def _number(node_config: Mapping[str, Any], name: str) -> float | None:
    value = node_config.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not is_finite_number(number) or number < 0:
        raise RuntimeError(f"its node configuration has {name} {value!r}, which must be a number of at least 0")
    return number


def _offered(found: SiteNoise | None) -> str:
    if found is None:
        return f"the training does not have fl_privacy {LOCAL_NOISE}"
    seeded = ", with a seed that makes it no secret" if found.seed else ""
    return (
        f"the training asks for noise multiplier {found.noise_multiplier:g}{seeded} and clipping norm"
        f" {found.clipping_norm:g}"
    )
