# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of a channel: whether a package is good enough to be the one that is used.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._base.jsonable import is_finite_number
from .metric_rule import MetricRule

Metrics = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Gate:
    """What is asked of a package's own metrics, and of those beside the package that it takes the place of."""

    min_accuracy: float | None = None
    max_loss: float | None = None
    tolerance: float = 0.0  # by how much it may be worse
    worse: bool = False  # whether it may be, by any amount

    def problems(self, package: str, metrics: Metrics, former: str = "", before: Metrics | None = None) -> list[str]:
        """Say all that keeps a package out."""
        found = []
        for name, rule in self._rules:
            value = _number(metrics.get(rule.metric))
            if not rule.allows(value):
                found.append(f"{package} has {_said(rule.metric, value)}, and promote_{name} is {rule.bound:g}.")
        if before is not None and not self.worse:
            found += self._worse(package, metrics, former, before)
        return found

    @property
    def _rules(self) -> t.Iterator[tuple[str, MetricRule]]:
        """Give what is asked of its own metrics, by the names of the variables."""
        if self.min_accuracy is not None:
            yield "min_accuracy", MetricRule("accuracy", ">=", self.min_accuracy)
        if self.max_loss is not None:
            yield "max_loss", MetricRule("loss", "<=", self.max_loss)

    def _worse(self, package: str, metrics: Metrics, former: str, before: Metrics) -> list[str]:
        """Compare by the accuracy where that is known of both, and else by the loss."""
        for name, sign in (("accuracy", 1), ("loss", -1)):
            now, then = _number(metrics.get(name)), _number(before.get(name))
            if now is not None and then is not None:
                if sign * (then - now) <= self.tolerance:
                    return []
                return [
                    f"{package} has {_said(name, now)} and is worse than {former}, which has {then:g}. Set"
                    " promote_tolerance, or promote_worse to mean it."
                ]
        if any(_number(before.get(name)) is not None for name in ("accuracy", "loss")):
            return [f"{package} has no metric to compare with {former}. Set promote_worse to promote it nevertheless."]
        return []


def _number(value: object) -> float | None:
    return float(value) if is_finite_number(value) else None


def _said(name: str, value: float | None) -> str:
    return f"no {name}" if value is None else f"{name} {value:g}"
