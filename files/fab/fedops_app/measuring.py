# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a task reports of how it has trained, beside its loss."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


class Steps:
    """The steps of one local training with the proximal term ``proximal_mu``."""

    def __init__(self, proximal_mu: float) -> None:
        self._proximal_mu = proximal_mu
        self._lengths: list[float] = []

    def taken(self, gradients: Iterable[NDArray]) -> None:
        """Remember a step by its gradients, one array for each of the model."""
        self._lengths.append(length(gradients))

    def metrics(self, way: Iterable[NDArray]) -> dict[str, float]:
        """Return ``grad_norm``, the mean length of the gradients, and ``proximal_loss`` where there is such a term.

        ``way`` is how far each array has come from where the round began.
        """
        found = {"grad_norm": float(np.mean(self._lengths)) if self._lengths else 0.0}
        if self._proximal_mu:
            found["proximal_loss"] = self._proximal_mu / 2 * length(way) ** 2
        return found


def length(arrays: Iterable[NDArray]) -> float:
    """Return the Euclidean length of all numbers of some arrays."""
    return float(np.sqrt(sum(float(np.square(array, dtype=np.float64).sum()) for array in arrays)))
