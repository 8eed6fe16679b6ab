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
        accuracy, loss = (_number(metrics.get(name)) for name in ("accuracy", "loss"))
        if self.min_accuracy is not None and (accuracy is None or accuracy < self.min_accuracy):
            found.append(
                f"{package} has {_said('accuracy', accuracy)}, and promote_min_accuracy is {self.min_accuracy:g}."
            )
        if self.max_loss is not None and (loss is None or loss > self.max_loss):
            found.append(f"{package} has {_said('loss', loss)}, and promote_max_loss is {self.max_loss:g}.")
        if before is not None and not self.worse:
            found += self._worse(package, metrics, former, before)
        return found

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
