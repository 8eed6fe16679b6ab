# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a training as one page: no script, no network, light and dark, and on paper.

Everything that is told is data: it comes into the page through ``words`` alone, and the page may load and run nothing.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._config.privacy import EPSILON
from .._config.purposes import REAL_TRAINING, purpose_of
from .._flower.app import table_of
from .._training.progress import span_text
from . import charts
from .figures import Report
from .sites import totals
from .style import STYLE
from .svg import short_number, words
from .tables import MOST_ROWS, MOST_WORDS, asked_and_ran, checkpoints_table, more_of, rounds_table, table

_NOTHING = '<p class="none">Nothing is known of it.</p>'


def page(report: Report) -> str:
    """Return the page."""
    name = words(report["training"], 120)
    parts = [
        f"<h1>{_called(report)} {name}</h1>",
        _summary(report),
        _section("anomalies", "What is remarkable", _anomalies(report)),
        _section("comparison", "Compared", _comparison(report)) if report["comparison"] else "",
        _section("model", "The model by round", _model(report)),
        _section("sites", "The sites", _sites(report)),
        _section("replies", "Replies that did not count", _not_counted(report)),
        _section("time", "Time", _time(report)),
        _section("checkpoints", "Checkpoints", checkpoints_table(report)),
        _section("asked", "What was asked, and what ran", asked_and_ran(report)),
        _section("rounds", "The rounds", rounds_table(report)),
        _section("left-out", "What is not told", _left_out(report)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        # Whatever got into the page could still load and run nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_called(report)} {name}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _called(report: Report) -> str:
    """Return what the page is about: nobody is to take a simulation for a training of a federation."""
    purpose = purpose_of(report["effective"])
    return "Training" if purpose == REAL_TRAINING else f"{words(purpose.capitalize(), 40)} (no real training):"


def _section(anchor: str, title: str, content: str) -> str:
    return f'<section id="{anchor}"><h2>{title}</h2>{content or _NOTHING}</section>'


def _figure(title: str, picture: str) -> str:
    return f"<figure><figcaption>{title}</figcaption>{picture}</figure>" if picture else ""


def _summary(report: Report) -> str:
    told = report["outcome"]
    name = table_of(report, "effective", "strategy").get("name")
    state = str(told["state"]).replace("_", " ")
    facts = [
        ("State", state),
        ("Rounds", f"{told['last_round']} of {told['num_rounds'] or '?'}"),
        ("Strategy", name or "unknown"),
        (
            f"Best {told['metric']}",
            "none" if told["best"] is None else f"{short_number(told['best'])} in round {told['best_round']}",
        ),
        ("Last loss", "none" if told["loss"] is None else short_number(told["loss"])),
        ("Last accuracy", "none" if told["accuracy"] is None else short_number(told["accuracy"])),
        ("In rounds", span_text(told["seconds_in_rounds"])),
        ("Lost runs", str(told["restarts"])),
        ("Exact", {True: "yes", False: "no"}.get(told["exact"], "not known")),
    ]
    facts += [("Privacy", told["privacy"])] if told.get("privacy") else []
    cards = "".join(f"<div><dt>{words(key)}</dt><dd>{words(value, 160)}</dd></div>" for key, value in facts)
    said = told["stopped_early"] or told["detail"]
    return f"<dl class=cards>{cards}</dl>" + (f"<p>{words(said, 2000)}</p>" if said else "")


def _anomalies(report: Report) -> str:
    if not report["anomalies"]:
        return "<p>Nothing remarkable was found.</p>"
    entries = []
    for one in report["anomalies"]:
        tries = ": ".join(
            filter(
                None,
                (f"<code>{words(one['variable'])}</code>" if one["variable"] else "", words(one["value"], MOST_WORDS)),
            )
        )
        more = (
            f"<br><span class=try>Look at {tries}</span>"
            if one["variable"]
            else f"<br><span class=try>{tries}</span>"
            if tries
            else ""
        )
        at = f"<span class=round>round {words(one['round'])}:</span> " if one["round"] is not None else ""
        entries.append(f'<li class="{words(one["weight"])}">{at}{words(one["text"], 2000)}{more}</li>')
    return f"<ul class=anomalies>{''.join(entries)}</ul>"


def _comparison(report: Report) -> str:
    told = report["comparison"]
    rows = [
        (label, told["this"][key], told["other"][key])
        for label, key in (
            ("strategy", "strategy"),
            ("rounds", "rounds"),
            (f"best {told['metric']}", "best"),
            ("in round", "best_round"),
            (f"last {told['metric']}", "last"),
            ("seconds of a round", "seconds_of_a_round"),
            ("replies that counted", "replies"),
            ("replies that did not", "failures"),
            ("lost runs", "restarts"),
        )
    ]
    said = "".join(f"<li>{words(sentence, MOST_WORDS)}</li>" for sentence in told["sentences"])
    differences = table(("configured differently", "here", "there"), told["differences"])
    curve = ""
    if told["metric"] not in ("loss", "accuracy"):
        curve = _figure(words(told["metric"]), charts.by_round(report, told["metric"]))
    return (
        f"<p>With {words(told['training'], 200)}, drawn as a dashed line below.</p><ul>{said}</ul>"
        + table(("", "this one", "the other"), rows, (1, 2))
        + (differences or "<p>No difference of configuration is known.</p>")
        + curve
    )


def _model(report: Report) -> str:
    parts = [_figure(name.capitalize(), charts.by_round(report, name)) for name in ("loss", "accuracy")]
    parts += [_figure(words(name), charts.by_round(report, name)) for name in charts.metric_names(report)]
    parts.append(_figure("Rates", charts.rates(report)))
    parts.append(_figure("Privacy spent (epsilon)", charts.by_round(report, EPSILON)))
    parts.append(_figure("Length of the model's step", charts.update_norms(report)))
    shown = "".join(parts)
    return f"<div class=pairs>{shown}</div>" if shown else "<p class=none>No round has been finished.</p>"


_BY_SITE = (
    ("loss", "Training loss of the sites"),
    ("evaluation_loss", "Loss of the sites' evaluation"),
    ("evaluation_accuracy", "Accuracy of the sites' evaluation"),
    ("update_norm", "Length of the sites' updates"),
    ("direction", "Direction of the sites' updates"),
    ("client_lr", "Client learning rate of the sites"),
)
_SITE_COLUMNS = {
    "site": "site",
    "counted": "counted",
    "failed": "failed",
    "rejected": "rejected",
    "away": "away",
    "last_round": "last in round",
    "examples": "examples",
    "loss": "last loss",
    "evaluation_loss": "last eval loss",
    "update_norm": "step",
    "direction": "direction",
    "seconds": "seconds",
}


def _sites(report: Report) -> str:
    rows = [[row[key] for key in _SITE_COLUMNS] for row in totals(report)]
    if not rows:
        return ""
    pictures = "".join(_figure(title, charts.per_site(report, figure, title)) for figure, title in _BY_SITE)
    return (
        _figure("Who took part", charts.participation(report))
        + f"<div class=pairs>{pictures}</div>"
        + table(list(_SITE_COLUMNS.values()), rows, range(1, len(_SITE_COLUMNS)))
        + '<p class="small">Step, direction, examples and seconds are medians over rounds. Direction is the cosine of'
        " an update with the sum of the others: 1 goes their way, below 0 it points away.</p>"
    )


def _not_counted(report: Report) -> str:
    rows = [
        (one["count"], one["kind"], one["work"], one["reason"], _some(one["sites"]), f"{one['first']} to {one['last']}")
        for one in report["not_counted"]
    ]
    return table(("replies", "", "work", "reason", "sites", "rounds"), rows, (0,)) or "<p>Every reply counted.</p>"


def _some(sites: t.Mapping[str, int]) -> str:
    ordered = sorted(sites, key=lambda name: (-sites[name], name))
    return ", ".join(f"{name} ({sites[name]})" for name in ordered[:5]) + (
        f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    )


def _time(report: Report) -> str:
    rows = [
        (event["time"], event["kind"].replace("_", " "), event["round"], event["text"]) for event in report["timeline"]
    ]
    return "".join(
        (
            _figure("Time line", charts.time_line(report)),
            _figure("Seconds of a round", charts.seconds(report)),
            table(("time", "what", "round", ""), rows[:MOST_ROWS], (2,)),
            more_of(len(rows)),
        )
    )


def _left_out(report: Report) -> str:
    return (
        "".join(f"<p>{words(text, MOST_WORDS)}</p>" for text in report["left_out"])
        or "<p>Everything that was found is told.</p>"
    )
