# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a published model says of itself: a model card, and the curves that go with it.

It has nothing of single sites but counts, and no time of its own: the same model has the same card, byte by byte.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import typing as t

from .._base.notation import counted
from .._config.privacy import EPSILON, PRIVACY, spent_text
from .._delivery.contents import cell_of, head_of_card, loading_lines
from .._flower.app import table_of
from .._report.figures import Report, best, is_better_higher, median, of_site, series, thinned, value_of
from .._report.style import LIGHT_PICTURE
from .._report.svg import HEIGHT, WIDTH, Chart, short_number
from .._tracking.links import good_links

CARD_CURVES = "curves.svg"
MOST_CARD_ROWS = 20
MOST_CARD_POINTS = 400
_METRICS = ("loss", "accuracy")
_SHOWN_SETTINGS = 40
_YES_OR_NO: t.Mapping[t.Any, str] = {True: "yes", False: "no"}
_OF_PRIVACY = (
    ("kind", "Noise"),
    ("clipping_norm", "Clipping norm at the beginning"),
    ("noise_multiplier", "Noise multiplier"),
    ("target_quantile", "Target quantile of the clipping norm"),
    ("delta", "Delta"),
    ("epsilon_budget", "Budget of epsilon"),
    ("accountant", "Accountant"),
)


def curves(report: Report, number: int) -> bytes | None:
    """Draw loss and accuracy by round in one picture that stands for itself; None where there is nothing to draw."""
    pictures: list[str] = []
    for place, name in enumerate(_METRICS):
        points = [point for point in series(report["rounds"], name) if point[0] <= number]
        if not points:
            continue
        shown, _width = thinned(points, MOST_CARD_POINTS)
        chart = Chart.around(f"{name} by round", [shown])
        chart.line(shown, f"c{place}", name)
        if top := best(points, is_better_higher(name)):
            chart.dot(top, "best", f"best: {top[1]:.6g} in round {int(top[0])}")
            chart.label(top, f"{name}, best {short_number(top[1])} in round {int(top[0])}")
        placed = f'<svg x="0" y="{len(pictures) * HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        pictures.append(chart.drawn().replace("<svg ", placed, 1))
    if not pictures:
        return None
    height = HEIGHT * len(pictures)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f"<style>{LIGHT_PICTURE}</style>"
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{"".join(pictures)}</svg>\n'
    ).encode()


def model_card(
    manifest: t.Mapping[str, t.Any],
    report: Report,
    has_curves: bool,
    licence: str = "",
    tracker_urls: t.Sequence[str] = (),
) -> bytes:
    """Return the card of a package by its manifest, which has no list of files yet, and the report of its training."""
    settings, private = _settings(report), _privacy(report, manifest["round"])
    sections = [
        _front(manifest, report, licence),
        f"# {cell_of(manifest['name'])}, round {manifest['round']}\n\n{_what(manifest, report)}\n",
        f"## How it was trained\n\n{_pairs(_training(manifest, report))}{_links(tracker_urls)}",
        f"## Data\n\n{_data(report, manifest['round'])}\n",
        *([f"## Privacy\n\n{private}"] if private else []),
        f"## Metrics\n\n{_metrics(report, manifest['round'], has_curves)}",
        "## Load it\n\n```python\n" + "\n".join(loading_lines(manifest)) + "\n```\n\n"
        "`manifest.json` has the SHA-256 of every file.\n",
        *([f"## Settings of the strategy\n\n{settings}"] if settings else []),
    ]
    return "\n".join(sections).encode("utf-8", "replace")


def _front(manifest: t.Mapping[str, t.Any], report: Report, licence: str) -> str:
    """Return the metadata, as the Hugging Face Hub reads them."""
    lines = head_of_card(manifest)
    lines += [f"license: {json.dumps(licence)}"] if licence else []
    metrics = [(name, value) for name in _METRICS if (value := _at(report, manifest["round"], name)) is not None]
    if metrics:
        lines += [
            "model-index:",
            f"- name: {json.dumps(manifest['name'])}",
            "  results:",
            "  - task: {type: other}",
            "    dataset: {type: federated, name: data of the sites}",
            "    metrics:",
            *(f"    - {{type: {name}, value: {json.dumps(value)}}}" for name, value in metrics),
        ]
    return "\n".join(["---", *lines, "---", ""])


def _what(manifest: t.Mapping[str, t.Any], report: Report) -> str:
    kind = "An adapter" if manifest["kind"] == "adapter" else "A model"
    sites = len(report["by_site"]["sites"])
    among = f" among {counted(sites, 'site')}" if sites else ""
    early = f" It {report['outcome']['stopped_early']}." if report["outcome"]["stopped_early"] else ""
    return (
        f"{kind} that was trained with Flower in a federation{among}: {cell_of(manifest['strategy'])}, round"
        f" {manifest['round']} of {manifest['num_rounds']}. The data stayed at the sites.{early}"
    )


def _training(manifest: t.Mapping[str, t.Any], report: Report) -> t.Iterator[tuple[str, t.Any]]:
    effective, result, base = report["effective"] or {}, report["result"] or {}, manifest["base_model"]
    app = effective.get("app")
    yield "Training", manifest["training"]
    yield "Strategy", manifest["strategy"]
    yield "Rounds", f"{manifest['round']} of {manifest['num_rounds']}"
    yield "App", manifest["app"] or (app if isinstance(app, str) else None)
    yield "Base model", f"{base['name']}, SHA-256 {base['sha256']}" if base else None
    yield "Flower", effective.get("flwr_version")
    yield "Bytes of an undisturbed training", _YES_OR_NO.get(result.get("exact"))
    yield "Saved", manifest["saved"]
    yield "Run", manifest["run_id"]
    yield "Checkpoint", f"SHA-256 {manifest['checkpoint_sha256']}"
    yield "Configuration", f"SHA-256 {manifest['configuration_hash']}"
    yield "Code", f"SHA-256 {manifest['code']}" if manifest["code"] else None
    yield "Arrays", manifest["num_arrays"]


def _data(report: Report, number: int) -> str:
    """Say how many examples sites have told of, and nothing of any one of them."""
    told = report["by_site"]
    counts = []
    for site in told["sites"].values():
        known = [value for at, value in of_site(site, "examples", told["rounds"]) if at <= number]
        counts += known[-1:]
    row: Report = next((row for row in report["rounds"] if row.get("round") == number), {})
    replies = row.get("replies")
    parts = [f"{counted(int(replies), 'site')} gave this round what counts." if replies else ""]
    if counts:
        middle = median(counts) or 0
        parts.append(
            f"By what the sites say, they trained on {int(sum(counts))} examples: {int(min(counts))} the fewest of a"
            f" site, {int(middle)} in the middle, {int(max(counts))} the most."
        )
    return " ".join(filter(None, parts)) or "The sites have told nothing of their data."


def _privacy(report: Report, number: int) -> str:
    """Say how the updates of sites were protected, and what was spent until a round; empty where they were not."""
    said = table_of(report, "effective", PRIVACY)
    if not said:
        return ""
    spent = {**said, EPSILON: _at(report, number, EPSILON)}
    rows = [(what, said.get(name) or None) for name, what in _OF_PRIVACY]
    return (
        f"The updates of the sites are protected by differential privacy: {cell_of(spent_text({PRIVACY: spent}))}, by"
        f" round {number}. One site is what is protected, with all of its examples.\n\n{_pairs(rows)}"
    )


def _metrics(report: Report, number: int, has_curves: bool) -> str:
    rows = [row for row in report["rounds"] if row.get("round", 0) <= number]
    names = [name for name in _METRICS if any(value_of(row, name) is not None for row in rows)]
    if not names:
        return "The training has told none.\n"
    step = max(1, -(-len(rows) // MOST_CARD_ROWS))
    shown = [row for place, row in enumerate(rows) if (len(rows) - 1 - place) % step == 0]
    lines = [f"| Round | {' | '.join(names)} | sites |", f"|---|{'---|' * (len(names) + 1)}"]
    for row in shown:
        values = [value_of(row, name) for name in names]
        told = ["" if value is None else short_number(value) for value in values]
        lines.append(f"| {row['round']} | {' | '.join(told)} | {row.get('replies') or ''} |")
    picture = f"![Curves by round]({CARD_CURVES})\n\n" if has_curves else ""
    return picture + "\n".join(lines) + "\n"


def _settings(report: Report) -> str:
    """Return what the strategy was given; other settings may tell of the hosts."""
    strategy = (report["effective"] or {}).get("strategy") or {}
    given = strategy.get("parameters")
    rows = [
        (name, json.dumps(value) if isinstance(value, (dict, list)) else value)
        for name, value in sorted((given if isinstance(given, dict) else {}).items())
        if value is not None
    ]
    return _pairs(rows[:_SHOWN_SETTINGS]) if rows else ""


def _pairs(rows: t.Iterable[tuple[str, t.Any]]) -> str:
    lines = [f"| {cell_of(key)} | {cell_of(value)} |" for key, value in rows if value is not None]
    return "\n".join(["| | |", "|---|---|", *lines, ""])


def _links(urls: t.Iterable[str]) -> str:
    """Return rows with links, where they are some; any other words stay words."""
    cells = [f"<{url}>" if good_links([url]) else cell_of(url) for url in urls]
    return "".join(f"| Tracked at | {cell} |\n" for cell in cells)


def _at(report: Report, number: int, name: str) -> float | None:
    return next((value_of(row, name) for row in report["rounds"] if row.get("round") == number), None)
