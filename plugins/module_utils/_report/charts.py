# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of a report. Each is empty where there is nothing to show.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._training.progress import seconds_between, span_text
from . import svg
from .figures import Points, Report, averaged, best, is_better_higher, of_site, phases, series, thinned
from .rounds import HAS_COUNTED, HAS_FAILED, WAS_AWAY, WAS_REJECTED, WAS_SKIPPED
from .svg import Chart, short_number, words

MOST_POINTS = 800  # of a curve
MOST_OF_A_SITE = 120
MOST_COLUMNS = 240
MOST_METRIC_CHARTS = 8
MOST_BARS = 200
MOST_MARKS = 60  # of where another run took over
WORST = (HAS_FAILED, WAS_REJECTED, WAS_SKIPPED)


def by_round(report: Report, name: str) -> str:
    """Draw a figure of the model by round, its best marked, and where another run took over."""
    points = series(report["rounds"], name)
    if not points:
        return ""
    compared = report.get("comparison")
    other: Points = []
    if compared and compared["metric"] == name:
        other, _width = thinned([(float(at), float(value)) for at, value in compared["other_rounds"]], MOST_POINTS)
    shown, width = thinned(points, MOST_POINTS)
    chart = Chart.around(f"{name} by round", [shown, other])
    for at in taken_over(report)[:MOST_MARKS]:
        chart.upright(at - 0.5, "faint", f"resumed by another run before round {at}")
    if other:
        chart.line(other, "other", f"{compared['training']}" if compared else "")
    chart.line(shown, "c0", name)
    top = best(points, is_better_higher(name))
    if top:
        chart.dot(top, "best", f"best: {top[1]:.6g} in round {int(top[0])}")
        chart.label(top, f"best {short_number(top[1])}, round {int(top[0])}")
    return chart.drawn() + _each(width)


def _each(width: int) -> str:
    return (
        f'<p class="small">Each span of {width} rounds is drawn by its lowest and its highest value.</p>'
        if width > 1
        else ""
    )


def taken_over(report: Report) -> list[int]:
    """Return the rounds with which another run took over."""
    rounds = report["rounds"]
    return [
        after["round"]
        for before, after in zip(rounds, rounds[1:])
        if before.get("run_id") and after.get("run_id") and before["run_id"] != after["run_id"]
    ]


def metric_names(report: Report) -> list[str]:
    """Return the metrics that are no loss or accuracy, those of most rounds first."""
    often: dict[str, int] = {}
    for row in report["rounds"]:
        for name in row.get("metrics") or {}:
            often[name] = often.get(name, 0) + 1
    return sorted(often, key=lambda name: (-often[name], name))[:MOST_METRIC_CHARTS]


def rates(report: Report) -> str:
    """Draw the rates that a schedule has given each round, each as a part of its highest."""
    names = sorted({name for row in report["rounds"] for name in row.get("steering") or {}})
    curves = {
        name: [
            (float(row["round"]), float(row["steering"][name]))
            for row in report["rounds"]
            if name in (row.get("steering") or {})
        ]
        for name in names
    }
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return ""
    tops = {name: max(abs(value) for _at, value in points) or 1.0 for name, points in curves.items()}
    parts = {
        name: thinned([(at, value / tops[name]) for at, value in points], MOST_POINTS)[0]
        for name, points in curves.items()
    }
    chart = Chart.around("rates by round", parts.values(), height=180, zero=True)
    for place, (name, points) in enumerate(parts.items()):
        chart.line(points, _colour(place), f"{name}, 1 is {tops[name]:.4g}")
    return chart.drawn() + legend(
        [(_colour(place), f"{name} (1 is {tops[name]:.4g})") for place, name in enumerate(parts)]
    )


def per_site(report: Report, figure: str, title: str) -> str:
    """Draw a figure of each site by round, the spread over all of them, and their mean."""
    told = report["by_site"]
    curves = {name: of_site(site, figure, told["rounds"]) for name, site in told["sites"].items()}
    curves = {name: points for name, points in curves.items() if points}
    if not curves:
        return ""
    columns: dict[float, list[float]] = {}
    for points in curves.values():
        for at, value in points:
            columns.setdefault(at, []).append(value)
    ordered = sorted(columns.items())
    low = averaged([(at, min(values)) for at, values in ordered], MOST_OF_A_SITE)
    high = averaged([(at, max(values)) for at, values in ordered], MOST_OF_A_SITE)
    mean = averaged([(at, sum(values) / len(values)) for at, values in ordered], MOST_OF_A_SITE)
    shown = {name: averaged(points, MOST_OF_A_SITE) for name, points in curves.items()}
    chart = Chart.around(title, [low, high, *shown.values()])
    chart.band(low, high, "spread")
    few = len(shown) <= svg.COLOURS
    for place, (name, points) in enumerate(sorted(shown.items())):
        chart.line(points, f"thin {_colour(place)}" if few else "thin many", name)
    chart.line(mean, "mean", "mean over the sites")
    named = (
        [(_colour(place), name) for place, name in enumerate(sorted(shown))]
        if few
        else [("many", f"{len(shown)} sites")]
    )
    span = "" if len(ordered) <= MOST_OF_A_SITE else _means(-(-len(ordered) // MOST_OF_A_SITE))
    return (
        chart.drawn()
        + legend([("mean", "mean over the sites"), ("spread", "from the lowest to the highest"), *named])
        + span
    )


def _means(width: int) -> str:
    return f'<p class="small">Each point is the mean of {width} rounds.</p>'


def participation(report: Report) -> str:
    """Draw what became of each site's work, a row for each."""
    told = report["by_site"]
    wide = max(1, -(-len(told["rounds"]) // MOST_COLUMNS))
    rows = [
        (name, "".join(_of_span(site["states"][at : at + wide]) for at in range(0, len(site["states"]), wide)))
        for name, site in told["sites"].items()
    ]
    picture = svg.cells("what became of the work of each site, by round", rows, told["rounds"][::wide])
    if not picture:
        return ""
    words_ = [
        ("cell-c", "counted"),
        ("cell-f", "failed or silent"),
        ("cell-r", "rejected"),
        ("cell-s", "the round made no model"),
        ("cell-none", "not asked, or away"),
    ]
    span = (
        f'<p class="small">Each column stands for {wide} rounds; one that went wrong decides its colour.</p>'
        if wide > 1
        else ""
    )
    return picture + legend(words_) + span


def _of_span(letters: str) -> str:
    """Return one letter for several rounds."""
    for letter in (*WORST, HAS_COUNTED):
        if letter in letters:
            return letter
    return WAS_AWAY


def update_norms(report: Report) -> str:
    """Draw how long the step of the model was in each round."""
    points, width = thinned(series(report["rounds"], "update_norm"), MOST_POINTS)
    if not points:
        return ""
    chart = Chart.around("length of the model's step by round", [points], height=180, zero=True)
    chart.line(points, "c0", "the model")
    return chart.drawn() + _each(width)


def seconds(report: Report) -> str:
    """Draw what the seconds of each round went to."""
    told = phases(report["rounds"])
    if not told:
        return ""
    names = sorted(
        {name for parts in told.values() for name in parts},
        key=lambda name: -sum(parts.get(name, 0.0) for parts in told.values()),
    )
    rows = list(told.items())
    width = max(1, -(-len(rows) // MOST_BARS))
    stacks = []
    for start in range(0, len(rows), width):
        span = rows[start : start + width]
        middle = sum(at for at, _parts in span) / len(span)
        stacks.append(
            (
                middle,
                [
                    (_colour(place), sum(parts.get(name, 0.0) for _at, parts in span) / len(span))
                    for place, name in enumerate(names)
                ],
            )
        )
    highest = max(sum(size for _style, size in parts) for _at, parts in stacks)
    chart = Chart(
        "seconds of a round by what they went to",
        (rows[0][0] - width / 2, rows[-1][0] + width / 2),
        (0.0, highest or 1.0),
    )
    chart.bars(stacks, float(width))
    sums = {name: sum(parts.get(name, 0.0) for parts in told.values()) for name in names}
    whole = sum(sums.values()) or 1.0
    named = [
        (_colour(place), f"{name}: {span_text(sums[name])} in all, {100 * sums[name] / whole:.0f} %")
        for place, name in enumerate(names)
    ]
    means = f'<p class="small">Each bar is the mean of {width} rounds.</p>' if width > 1 else ""
    return chart.drawn() + legend(named) + means


def time_line(report: Report) -> str:
    """Draw runs and what has happened, by time."""
    events = [event for event in report["timeline"] if event["time"]]
    moments = [row["time"] for row in report["rounds"] if isinstance(row.get("time"), str)]
    known = [
        moment
        for moment in (*(event["time"] for event in events), *moments)
        if seconds_between(moment, moment) is not None
    ]
    if len(known) < 2:
        return ""
    first = min(known, key=lambda moment: seconds_between(known[0], moment) or 0.0)

    def at(moment: t.Any) -> float | None:
        return seconds_between(first, moment)

    last = max(found for moment in known if (found := at(moment)) is not None)
    if last <= 0:
        return ""
    left, wide = svg.MARGIN_LEFT, svg.WIDTH - svg.MARGIN_LEFT - svg.MARGIN_RIGHT
    parts = [f'<line class="frame" x1="{left}" x2="{left + wide}" y1="46" y2="46"/>']
    spots = [round(left + found / last * wide, 1) for moment in moments if (found := at(moment)) is not None]
    path = "".join(f"M{x:g} 34v12" for x in dict.fromkeys(spots))
    parts.append(f'<path class="tick" d="{path}"><title>finished rounds</title></path>')
    for event in events:
        found = at(event["time"])
        if found is not None:
            style = (
                "bad"
                if event["kind"] in ("run_lost", "failed", "not_saved", "skipped")
                else "good"
                if event["kind"] in ("run_submitted", "saved_again")
                else "mid"
            )
            parts.append(
                f'<circle class="dot {style}" cx="{left + found / last * wide:.1f}" r="4"'
                f' cy="{20 if style == "bad" else 62}">'
                f"<title>{words(event['text'], 300)}</title></circle>"
            )
    parts.append(f'<text class="axis" x="{left}" y="84">{words(first)}</text>')
    parts.append(f'<text class="axis" x="{left + wide}" y="84" text-anchor="end">after {span_text(last)}</text>')
    named = [
        ("tick", "finished rounds"),
        ("bad", "lost, failed, skipped, not saved"),
        ("good", "submitted, saved again"),
        ("mid", "resumed, repeated, another course"),
    ]
    return svg.framed("time line", 92, parts) + legend(named)


def legend(entries: t.Iterable[tuple[str, str]]) -> str:
    """Say what colours mean."""
    return (
        '<p class="legend">'
        + "".join(f'<span><i class="key {style}"></i>{words(text)}</span>' for style, text in entries)
        + "</p>"
    )


def _colour(place: int) -> str:
    return f"c{place % svg.COLOURS}"
