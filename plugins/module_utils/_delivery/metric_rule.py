# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a metric of a model must be, where somebody asks for that: before it is promoted, and before it is published.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import operator
import typing as t
from dataclasses import dataclass

_COMPARED: t.Mapping[str, t.Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class MetricRule:
    """What a metric of a model must be."""

    metric: str
    comparison: str
    bound: float

    def allows(self, value: float | None) -> bool:
        """Tell whether a value keeps the rule; one that nobody knows does not."""
        return value is not None and _COMPARED[self.comparison](value, self.bound)
