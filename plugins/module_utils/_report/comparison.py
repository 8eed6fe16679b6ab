# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training beside another one, or beside what was trained under its name before.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.notation import show
from .._flower.app import table_of
from .figures import Points, Report, best, is_better_higher, median, metric_of, series
from .rounds import number

MOST_DIFFERENCES = 60
_ASIDE = ("training-name", "checkpoint-path")


def compared(report: Report, other: Report) -> dict[str, t.Any]:
    """Return the figures of both, what they were asked differently, and the curves of what they are judged by."""
    name, _higher = metric_of(report)
    if not series(other["rounds"], name):
        name, _higher = metric_of(other)
    higher = is_better_higher(name)
    mine, theirs = figures(report, name, higher), figures(other, name, higher)
    reached = theirs["best"]
    first = None if reached is None else _reaches(series(report["rounds"], name), reached, higher)
    return {
        "training": str(other["training"]),
        "metric": name,
        "higher_is_better": higher,
        "this": mine,
        "other": theirs,
        "reached_in_round": first,
        "differences": differences(report, other),
        "other_rounds": [[int(at), value] for at, value in series(other["rounds"], name)],
        "sentences": sentences(name, higher, mine, theirs, first),
    }


def figures(report: Report, name: str, higher: bool) -> dict[str, t.Any]:
    """Return what two trainings are compared by."""
    rounds = report["rounds"]
    points = series(rounds, name)
    top = best(points, higher)
    replies = sum(int(number(row.get("replies")) or 0) for row in rounds)
    failures = sum(int(number(row.get("failures")) or 0) for row in rounds)
    return {
        "strategy": table_of(report, "effective", "strategy").get("name"),
        "rounds": len(rounds),
        "best": top[1] if top else None,
        "best_round": int(top[0]) if top else None,
        "last": points[-1][1] if points else None,
        "seconds_of_a_round": median(seconds for row in rounds if (seconds := number(row.get("seconds"))) is not None),
        "replies": replies,
        "failures": failures,
        "restarts": (report.get("supervision") or {}).get("restarts") or 0,
    }


def differences(report: Report, other: Report) -> list[list[str]]:
    """Return what is configured differently: the key, what it is here, and what it is there."""
    here, there = (table_of(one, "effective", "run_config") for one in (report, other))
    if not here or not there:
        return []
    keys = sorted(key for key in {*here, *there} if key not in _ASIDE and here.get(key) != there.get(key))
    return [[str(key), show(here.get(key)), show(there.get(key))] for key in keys[:MOST_DIFFERENCES]]


def sentences(name: str, higher: bool, mine: Report, theirs: Report, first: int | None) -> list[str]:
    """Say in words how the two compare."""
    said = []
    if mine["best"] is not None and theirs["best"] is not None:
        ahead = (mine["best"] - theirs["best"]) * (1 if higher else -1)
        verdict = "as good as" if ahead == 0 else "better than" if ahead > 0 else "worse than"
        said.append(
            f"The best {name} is {mine['best']:.4g} (round {mine['best_round']}), {verdict} {theirs['best']:.4g}"
            f" (round {theirs['best_round']})."
        )
        if first is not None:
            said.append(
                f"What the other was at its best was reached in round {first}; the other took {theirs['best_round']}."
            )
    else:
        said.append(f"One of the two has no {name}, so that they cannot be compared by it.")
    pace, other = mine["seconds_of_a_round"], theirs["seconds_of_a_round"]
    if pace and other:
        said.append(f"A round takes {pace:.3g} s, the other's {other:.3g} s.")
    return said


def _reaches(points: Points, value: float, higher: bool) -> int | None:
    return next((int(at) for at, found in points if (found >= value if higher else found <= value)), None)
