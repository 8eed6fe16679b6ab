# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a report: checkpoints, rounds, and what was asked beside what ran.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.jsonable import is_number
from .._base.notation import counted
from .._flower.app import table_of
from .figures import Report
from .svg import short_number, words

MOST_ROWS = 60  # of a table of rounds or checkpoints
MOST_WORDS = 600
MOST_CONFIG = 200


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[t.Any]], numbers: t.Container[int] = ()) -> str:
    """Return a table; of the columns in C(numbers) the values stand to the right."""

    def cell(kind: str, place: int, value: t.Any) -> str:
        empty = "" if kind == "th" else "–"
        told = empty if value in (None, "") else short_number(value) if is_number(value) else words(value, MOST_WORDS)
        return f"<{kind}{' class=n' if place in numbers else ''}>{told}</{kind}>"

    lines = ["".join(cell("td", place, value) for place, value in enumerate(row)) for row in rows]
    if not lines:
        return ""
    top = "".join(cell("th", place, value) for place, value in enumerate(head))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<div class=wide><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def more_of(number: int) -> str:
    return (
        f'<p class="small">{number - MOST_ROWS} more are in the JSON file beside this page.</p>'
        if number > MOST_ROWS
        else ""
    )


def checkpoints_table(report: Report) -> str:
    kept = report["checkpoints"]
    if not kept:
        return "<p>None was found, or nobody has looked.</p>"
    whole = sum(one["bytes"] for one in kept if is_number(one["bytes"]))
    rows = [
        (one["round"], one["file"], one["bytes"], one["loss"], one["timestamp"], one["sha256"])
        for one in kept[-MOST_ROWS:]
    ]
    return (
        f"<p>{counted(len(kept), 'checkpoint')}, {whole:,} bytes in all.</p>"
        + table(("round", "file", "bytes", "loss", "saved", "sha256"), rows, (0, 2, 3))
        + more_of(len(kept))
    )


def asked_and_ran(report: Report) -> str:
    effective = report["effective"] or {}
    strategy = effective.get("strategy")
    parameters = table_of(effective, "strategy", "parameters")
    ran = [
        (key, effective.get(key))
        for key in ("run_id", "app", "kit_version", "flwr_version", "code", "configuration_hash")
        if effective.get(key)
    ]
    if isinstance(strategy, dict):
        ran.insert(0, ("strategy", strategy.get("class") or strategy.get("name")))
    here, there = (table_of(report, where, "run_config") for where in ("effective", "asked"))
    keys = sorted({*map(str, here), *map(str, there)})
    rows = [(key, _said(there.get(key)), _said(here.get(key))) for key in keys[:MOST_CONFIG]]
    other = [key for key in keys if key in here and key in there and here[key] != there[key]]
    verdict = ""
    if here and there:
        verdict = (
            f"<p class=bad>It ran with other values than asked: {words(', '.join(other), MOST_WORDS)}.</p>"
            if other
            else "<p>What was asked is what ran.</p>"
        )
    runs = [(run.get("run_id"), run.get("time"), run.get("num_rounds")) for run in report["runs"][-MOST_ROWS:]]
    return "".join(
        (
            verdict,
            table(("what ran", ""), ran),
            table(
                ("parameter of the strategy", "value"),
                sorted((str(key), _said(value)) for key, value in parameters.items()),
            ),
            table(("key", "asked", "ran"), rows),
            table(("run", "submitted", "rounds"), runs, (2,)),
        )
    )


def _said(value: t.Any) -> t.Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value == "":
        return '""'
    return value if value is None or is_number(value) else str(value)


def rounds_table(report: Report) -> str:
    rounds = report["rounds"]
    # The first and the last, where there are too many for a person.
    shown = rounds if len(rounds) <= MOST_ROWS else [*rounds[: MOST_ROWS // 2], *rounds[-(MOST_ROWS // 2) :]]
    rows = [
        (row["round"], row.get("loss"), row.get("accuracy"), row.get("replies"), row.get("failures"),
         row.get("attempts"), row.get("seconds"), row.get("update_norm"), row.get("checkpoint"))
        for row in shown
    ]  # fmt: skip
    head = ("round", "loss", "accuracy", "replies", "failures", "attempts", "seconds", "step", "checkpoint")
    note = (
        f'<p class="small">The first and the last {MOST_ROWS // 2} of {len(rounds)} rounds; all are in the JSON file'
        " beside this page.</p>"
    )
    return table(head, rows, range(8)) + (note if len(rounds) > MOST_ROWS else "")
