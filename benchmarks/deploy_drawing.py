# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of what deploy.py has measured, with its goals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import Spread, bars, save, subplots

RATIO_GOAL = 1.5
MODULES_GOALS = {"first": 25, "again": 12}  # per SuperNode: on a fresh host, and when there is nothing to do


def _draw_time(content: Mapping[str, Any], axes: Any) -> None:
    compared = content["comparison"]
    labels = {"by_hand": "by hand", "site": "site.yml", "again": "site.yml\nagain"}
    spreads = [Spread(**compared[way]["seconds"]) for way in labels]
    bars(axes, list(range(len(labels))), spreads, width=0.5, color=["tab:gray", "tab:green", "tab:olive"])
    axes.axhline(RATIO_GOAL * spreads[0].median, color="gray", linestyle="--", label=f"goal: {RATIO_GOAL} × by hand")
    axes.set_xticks(range(len(labels)), labels.values())
    ratio = compared["ratio"]["median"]
    axes.set(title=f"1 + {compared['supernodes']} fresh hosts: ratio {ratio:.2f}", ylabel="seconds (median, quartiles)")
    axes.set_ylim(0, 1.3 * max(axes.get_ylim()[1], RATIO_GOAL * spreads[0].median) / 1.15)
    axes.legend(loc="upper right")


def _draw_modules(content: Mapping[str, Any], axes: Any) -> None:
    counts = content["comparison"]["modules"]
    labels = {"first": "fresh hosts", "again": "nothing to do"}
    for shift, kind, color in ((-0.2, "supernode", "tab:green"), (0.2, "superlink", "tab:blue")):
        heights = [counts[run][kind] for run in labels]
        label = {"supernode": "a SuperNode", "superlink": "the SuperLink"}[kind]
        drawn = axes.bar([place + shift for place in range(len(labels))], heights, 0.4, label=label, color=color)
        axes.bar_label(drawn)
    for place, run in enumerate(labels):
        goal = MODULES_GOALS[run]
        axes.hlines(
            goal, place - 0.4, place, color="gray", linestyle="--", label="goal for a SuperNode" if not place else None
        )
    axes.set_xticks(range(len(labels)), labels.values())
    axes.set(title="Module executions on a host", ylabel="executions")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.legend(loc="upper right")


def _draw_growth(content: Mapping[str, Any], axes: Any) -> None:
    growth = content["growth"]
    sizes = [row["supernodes"] for row in growth["runs"]]
    for run, label, color in (("first", "fresh hosts", "tab:green"), ("again", "nothing to do", "tab:olive")):
        fit = growth["controller_cpu_seconds_fit"][run]
        used = [row[run]["cost"]["controller_cpu_seconds"] for row in growth["runs"]]
        axes.plot(sizes, used, "o", color=color, label=f"{label}: {fit['slope']:.2f} s per SuperNode")
        ends = [0, max(sizes)]
        axes.plot(ends, [fit["intercept"] + fit["slope"] * end for end in ends], "--", color=color)
    axes.set(title="Processor time of the controller", xlabel="SuperNodes", ylabel="seconds")
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")


DRAWN = [("comparison", _draw_time), ("comparison", _draw_modules), ("growth", _draw_growth)]


def draw(content: Mapping[str, Any], path: Path) -> None:
    """Draw what has been measured so far: time and modules of the comparison, and how the controller's work grows."""
    parts = [draw_ for key, draw_ in DRAWN if key in content]
    figure, axes = subplots(len(parts), squeeze=False)
    for draw_, place in zip(parts, axes[0], strict=True):
        draw_(content, place)
        place.grid(axis="y", alpha=0.3)
    save(figure, path)
