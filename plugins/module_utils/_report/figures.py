# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on what a history tells: medians, best rounds, and curves of no more points than a picture can show.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import statistics
import typing as t

from .._checkpoint.checkpoint import EARLY_STOPPING
from .._config.stopping import BY_NAME_OF_METRIC, STOPPING_MODES, Stopping
from .._flower.app import table_of
from .._training.progress import seconds_between
from .rounds import number

Report = t.Mapping[str, t.Any]
Rounds = t.Sequence[t.Mapping[str, t.Any]]
Points = list[tuple[float, float]]
BETWEEN, REST, TRAINING = "between rounds", "the rest", "training (slowest site)"


def median(values: t.Iterable[float]) -> float | None:
    """Return the middle of some numbers; None of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def value_of(row: t.Mapping[str, t.Any], name: str) -> float | None:
    """Return a figure of a round: one of its own, or one of its metrics."""
    found = number(row.get(name))
    return found if found is not None else number((row.get("metrics") or {}).get(name))


def series(rounds: Rounds, name: str) -> Points:
    """Return a figure by round, without the rounds that do not have it."""
    found = ((row["round"], value_of(row, name)) for row in rounds)
    return [(float(number_), value) for number_, value in found if value is not None]


def is_better_higher(name: str, mode: t.Any = BY_NAME_OF_METRIC) -> bool:
    """Tell whether the larger value of a metric is the better one: by its name, unless early stopping says it."""
    return Stopping(1, 0.0, name, mode if mode in STOPPING_MODES else BY_NAME_OF_METRIC, 0).is_better_higher


def best(points: Points, higher: bool) -> tuple[float, float] | None:
    """Return the first of the best points."""
    if not points:
        return None
    return max(points, key=lambda point: (point[1] if higher else -point[1], -point[0]))


def metric_of(report: t.Mapping[str, t.Any]) -> tuple[str, bool]:
    """Return by what models of a training are compared, and whether higher is better."""
    said = table_of(report, "effective", EARLY_STOPPING)
    metric = said.get("metric")
    if isinstance(metric, str) and series(report["rounds"], metric):
        return metric, is_better_higher(metric, said.get("mode"))
    if series(report["rounds"], "loss") or not series(report["rounds"], "accuracy"):
        return "loss", False
    return "accuracy", True


def thinned(points: Points, most: int) -> tuple[Points, int]:
    """Return the lowest and the highest point of each of so many spans, and how many points a span has."""
    if len(points) <= most:
        return points, 1
    width = -(-2 * len(points) // most)
    kept: Points = []
    for start in range(0, len(points), width):
        span = points[start : start + width]
        low, high = min(span, key=lambda point: point[1]), max(span, key=lambda point: point[1])
        kept += sorted(
            {low, high, *(span[:1] if start == 0 else []), *(span[-1:] if start + width >= len(points) else [])}
        )
    return kept, width


def averaged(points: Points, most: int) -> Points:
    """Return the mean of each of so many spans."""
    width = max(1, -(-len(points) // most))
    if width == 1:
        return points
    spans = (points[start : start + width] for start in range(0, len(points), width))
    return [(sum(x for x, _y in span) / len(span), sum(y for _x, y in span) / len(span)) for span in spans]


def phases(rounds: Rounds) -> dict[int, dict[str, float]]:
    """Return the seconds of each round by what they went to."""
    found: dict[int, dict[str, float]] = {}
    before: t.Mapping[str, t.Any] = {}
    for row in rounds:
        told = {str(name): seconds for name, value in (row.get("phases") or {}).items() if (seconds := number(value))}
        whole, slowest = number(row.get("seconds")), number(row.get("slowest_site"))
        if not told and whole is not None and slowest is not None:
            told = {TRAINING: min(slowest, whole), REST: max(0.0, whole - slowest)}
        elif not told and whole is not None:
            told = {"the whole round": whole}
        elif told and whole is not None and (left := whole - sum(told.values())) > 0.05 * whole:
            told[REST] = left
        follows = before.get("round") == row["round"] - 1
        gap = seconds_between(before.get("time"), row.get("time")) if follows else None
        if gap is not None and whole is not None and gap - whole > max(1.0, 0.1 * whole):
            told[BETWEEN] = gap - whole
        found[row["round"]] = {name: seconds for name, seconds in told.items() if seconds > 0}
        before = row
    return found


def of_site(site: t.Mapping[str, t.Any], name: str, numbers: t.Sequence[int]) -> Points:
    """Return a figure of a site by round, of the rounds in which it counted or was evaluated."""
    values = site.get(name) or []
    found = ((float(at), number(value)) for at, value in zip(numbers, values))
    return [(at, value) for at, value in found if value is not None]


def holes(rounds: Rounds) -> list[tuple[int, int]]:
    """Return the first and the last number of each row of rounds that the history does not have."""
    numbers = [0, *(row["round"] for row in rounds)]
    return [(low + 1, high - 1) for low, high in zip(numbers, numbers[1:]) if high - low > 1]
