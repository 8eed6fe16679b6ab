# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A SuperNode that lies, to show what a strategy withstands. Both sides must want it, or it does not train at all.

The node says so in its own configuration (``attack = "sign-flip"``, and ``attack-scale`` if not 10), the training with
``fl_demo_attacks``. Nothing that a server sends turns an honest node into one that attacks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fedops_kit import dtypes

ALLOWED = "demo-attacks"  # in the config of a train message
SIGN_FLIP = "sign-flip"


@dataclass(frozen=True)
class SignFlip:
    """Sends the opposite of what was learned, made larger: w - scale * (w_trained - w)."""

    scale: float = 10.0

    def poison(self, received: Mapping[str, NDArray], trained: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """Return the model to send instead of the trained one, with its names, shapes and dtypes."""
        return {name: self._poisoned(received[name], np.asarray(array)) for name, array in trained.items()}

    def _poisoned(self, before: NDArray, after: NDArray) -> NDArray:
        if not dtypes.is_inexact(after):
            return after  # counters, such as the steps of a batch normalization
        old, new = dtypes.wide(before), dtypes.wide(after)
        old = old.astype(np.result_type(old, np.float64))
        made = old - self.scale * (new - old)
        return dtypes.narrowed(made, dtypes.BFLOAT16) if dtypes.is_bfloat16(after) else made.astype(after.dtype)


def chosen(node_config: Mapping[str, object], allowed: object) -> SignFlip | None:
    """Return the attack of this node's own configuration; raise when it must not be, or cannot be."""
    kind = node_config.get("attack")
    if kind is None:
        return None
    if kind != SIGN_FLIP:
        raise ValueError(f"attack is {kind!r} in the node configuration but must be {SIGN_FLIP}. Correct or remove it.")
    if allowed is not True:
        raise PermissionError(
            f"attack is {kind!r} in the node configuration but fl_demo_attacks is false."
            " Remove it from supernode_node_config; a demonstration sets fl_demo_attacks to true."
        )
    scale = node_config.get("attack-scale", SignFlip.scale)
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not (math.isfinite(scale) and scale > 0):
        raise ValueError(f"attack-scale is {scale!r} in the node configuration but must be a number above 0.")
    return SignFlip(float(scale))
