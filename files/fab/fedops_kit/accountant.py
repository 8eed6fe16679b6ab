# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who computes epsilon: dp-accounting, where Flower's environment has it (``flwr[dp]``), else the same formula here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

from .knowledge._config.accounting import epsilon as by_formula

FORMULA = "formula of dp-accounting"


@cache
def library() -> Any:
    """Return dp-accounting; None where it is not installed."""
    try:
        import dp_accounting  # type: ignore[import-not-found]  # an environment may bring it: it brings SciPy
        import dp_accounting.rdp  # type: ignore[import-not-found]  # the same
    except ImportError:
        return None
    return dp_accounting


def accountant() -> str:
    """Return who computes."""
    return f"dp-accounting {version('dp-accounting')}" if library() else FORMULA


def epsilon(releases: Mapping[float, int], delta: float) -> float:
    """Return the epsilon of so many releases, by their noise multipliers."""
    counts = {noise: count for noise, count in releases.items() if count}
    if library() is None or not all(noise > 0 for noise in counts):
        return by_formula(counts, delta)
    asked = library().rdp.RdpAccountant(neighboring_relation=library().NeighboringRelation.ADD_OR_REMOVE_ONE)
    for noise, count in counts.items():
        asked.compose(library().GaussianDpEvent(noise), count)
    return float(asked.get_epsilon(delta))
