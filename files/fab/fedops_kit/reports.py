# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What each site did in a round, as it is told of: of bounded size, and looked at by people alone.

A site says what it likes. Nothing of it is interpreted, and nothing of it reaches the model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flwr.app import ArrayRecord, MetricRecord, RecordDict

from .arrays import update_norm
from .flaws import plain
from .foreign import same_layout
from .guards import WEIGHT, Rejection
from .integrity import DATASET, FINGERPRINT, SECONDS, SITE_RECORD
from .knowledge._base.jsonable import is_finite_number, is_number
from .measured import not_finite
from .records import array_records

MOST_TOLD = 16  # metrics of a site, beside those that have a place of their own
LONGEST_TOLD = 64  # characters of the name of a metric, or of a data set
MOST_SITES = 500  # in a line of the history; the figures across sites are of all of them
MOST_LETTERS = 1 << 18  # of all sites in a line, above which their metrics are left out of it
_LONGEST_SPAN = 1e9  # seconds
_LARGEST = 1e150  # whose square is a number, too

# What a site is told with has a name of its own; by which names apps report it, the most usual first.
_USUAL: Mapping[str, tuple[str, ...]] = {
    "loss": ("train_loss", "train-loss", "loss", "eval_loss", "eval-loss"),
    "proximal_loss": ("proximal_loss", "proximal-loss", "fedprox_loss", "fedprox-loss"),
    "grad_norm": ("grad_norm", "grad-norm", "gradient_norm", "gradient-norm"),
}
# What became of what a site has trained; it is skipped with a round that made no model.
COUNTED, SKIPPED, REJECTED, FAILED = "counted", "skipped", "rejected", "failed"

Report = dict[str, Any]


@dataclass
class Reports:
    """The sites of a round, by name."""

    sites: dict[str, Report] = field(default_factory=dict)

    def trained(self, site: str, content: RecordDict, model: ArrayRecord, names: Iterable[str] | None = None) -> None:
        """Tell of a reply that counts; ``model`` is the one that the round began with.

        ``names`` are the arrays that the norm of the update is of; None: all.
        """
        about: Mapping[str, Any] = content.config_records.get(SITE_RECORD) or {}
        arrays = list(array_records(content).values())
        self._site(site).update(
            {
                "state": COUNTED,
                **_figures(content),
                "update_norm": _number(way(arrays[0], model, names)) if len(arrays) == 1 else None,
                "seconds": _span(about.get(SECONDS)),
                "hash": _text(about.get(FINGERPRINT)),
                "dataset_name": _text(about.get(DATASET)),
            }
        )

    def evaluated(self, site: str, content: RecordDict) -> None:
        """Tell of an evaluation that counts."""
        figures = {name: value for name, value in _figures(content).items() if value not in (None, {})}
        self._site(site)["evaluation"] = figures

    def left_out(self, problems: Iterable[Rejection], state: str) -> None:
        """Tell why what a site did does not count."""
        for problem in problems:
            if problem.work == "evaluate":
                self._site(problem.site)["evaluation"] = {"problem": plain(problem.reason)}
            else:
                self._site(problem.site).update({"state": state, "reason": plain(problem.reason)})

    def told(self, aggregated: bool = True) -> dict[str, Any]:
        """Return what a line of the history says of the sites."""
        entries = [{"site": name, **_lean(report)} for name, report in self.sites.items()]
        if not aggregated:
            for entry in entries:
                if entry.get("state") == COUNTED:
                    entry["state"] = SKIPPED
        shown = entries[:MOST_SITES]
        if len(json.dumps(shown)) > MOST_LETTERS:
            shown = [_without_metrics(entry) for entry in shown]
        left_out = {"sites_left_out": len(entries) - len(shown)} if len(entries) > len(shown) else {}
        return {"sites": shown, "across_sites": across(self.sites.values()), **left_out}

    def _site(self, name: str) -> Report:
        return self.sites.setdefault(name, {})


def way(arrays: ArrayRecord, model: ArrayRecord, names: Iterable[str] | None = None) -> float | None:
    """Return how far these arrays have come from a model; None where they are not of its names and shapes."""
    return update_norm(arrays, model, names) if same_layout(arrays, model) else None


def across(reports: Iterable[Report]) -> dict[str, dict[str, float]]:
    """Return mean, deviation, minimum and maximum of each figure over the sites that count and have it.

    Every site counts the same, however many examples it has. The deviation is that of the population.
    """
    columns: dict[str, list[float]] = {}
    for report in reports:
        if report.get("state", COUNTED) != COUNTED:
            continue
        evaluation = report.get("evaluation", {})
        figures = {**report.get("metrics", {}), **report}
        for name, value in {**evaluation.get("metrics", {}), **evaluation}.items():
            figures[f"evaluation_{name}"] = value
        for name, value in figures.items():
            if is_number(value):
                columns.setdefault(name, []).append(float(value))
    return {name: _spread(values) for name, values in columns.items()}


def _spread(values: list[float]) -> dict[str, float]:
    mean = math.fsum(values) / len(values)
    return {
        "mean": mean,
        "deviation": math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values)),
        "minimum": min(values),
        "maximum": max(values),
    }


def _figures(content: RecordDict) -> Report:
    """Return examples, what has a place of its own, and some more metrics; lists and what is no number are left out."""
    metrics = next(iter(content.metric_records.values()), MetricRecord())
    found: Report = {"examples": _number(metrics.get(WEIGHT))}
    taken = {WEIGHT}
    for name, spellings in _USUAL.items():
        spelled = next((each for each in spellings if is_number(metrics.get(each))), None)
        found[name] = _number(metrics.get(spelled)) if spelled else None
        taken.add(spelled or "")
    wrong = [plain(name, LONGEST_TOLD) for name in not_finite(metrics)]
    found["not_finite"] = wrong[:MOST_TOLD] or None
    others = [(name, value) for name, value in metrics.items() if name not in taken and is_number(value)]
    found["metrics"] = {plain(name, LONGEST_TOLD): _number(value) for name, value in others[:MOST_TOLD]}
    return found


def _number(value: object) -> float | int | None:
    """Return a number that JSON has, to nine digits, which tell all numbers of 32 bits apart; nothing else."""
    if not is_finite_number(value) or abs(value) > _LARGEST:
        return None
    return value if isinstance(value, int) else float(f"{value:.9g}")


def _span(value: object) -> float | None:
    number = _number(value)
    return round(number, 3) if number is not None and 0 <= number < _LONGEST_SPAN else None


def _text(value: object) -> str | None:
    return plain(value, LONGEST_TOLD) if isinstance(value, str) and value else None


def _lean(report: Report) -> Report:
    return {name: value for name, value in report.items() if value not in (None, {})}


def _without_metrics(entry: Report) -> Report:
    lean = {name: value for name, value in entry.items() if name != "metrics"}
    if "evaluation" in lean:
        lean["evaluation"] = {name: value for name, value in lean["evaluation"].items() if name != "metrics"}
    return lean
