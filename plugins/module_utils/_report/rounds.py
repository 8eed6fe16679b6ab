# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rounds of a training with everything that is told of their sites, in as little room as a report needs.

What reads the history elsewhere takes the sites of the newest round alone. Here all lines are read one by one, each is
made small before the next, and of a very long history the sites of every nth round are taken.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import os
import re
import typing as t
from collections import deque
from dataclasses import dataclass, field

from .._base.guarded import Owners, regular_file
from .._base.jsonable import harmless, is_number
from .._base.records import why_unread
from .._config.privacy import epsilon_of
from .._training.claims import HISTORY_FILE, LINE_LIMIT, MOST_ROUNDS, ClaimError, replay, round_and_sites

WHOLE_LIMIT = 256 << 20  # bytes of the history that are read; of a longer one, its end
SITES_LIMIT = 64 << 20  # bytes of the history above which not every round is asked for its sites
MOST_METRICS = 24  # of a round
MOST_CELLS = 150_000  # rounds times sites that are told of one by one
MOST_SITES_TOLD = 500
LONGEST_SITE = 200  # characters of a name
MOST_GROUPS = 40  # of replies that did not count, by reason
HAS_COUNTED, WAS_REJECTED, HAS_FAILED, WAS_SKIPPED, WAS_AWAY = "c", "r", "f", "s", "."
SITE_STATES = HAS_COUNTED + WAS_REJECTED + HAS_FAILED + WAS_SKIPPED + WAS_AWAY
_LETTERS = {"counted": HAS_COUNTED, "rejected": WAS_REJECTED, "failed": HAS_FAILED, "skipped": WAS_SKIPPED}
SITE_FIGURES = (
    "examples",
    "loss",
    "update_norm",
    "direction",
    "grad_norm",
    "seconds",
    "client_lr",
    "evaluation_loss",
    "evaluation_accuracy",
)
OF_A_ROUND = (
    "round",
    "num_rounds",
    "run_id",
    "time",
    "seconds",
    "loss",
    "accuracy",
    "num_examples",
    "aggregated",
    "replies",
    "failures",
    "attempts",
    "update_norm",
    "checkpoint",
    "checkpoint_problem",
    "exact",
    "early_stopping",
)
_NUMBERS = re.compile(r"\d[\d.,]*(?:e[+-]?\d+)?")

RoundRow = dict[str, t.Any]


@dataclass
class Told:
    """What a history tells."""

    rounds: list[RoundRow] = field(default_factory=list)  # those that lead to the newest model
    every: int = 1  # of which every nth line was asked for its sites
    again: int = 0  # lines of rounds that were trained once more later
    problem: str = ""


def read(folder: str, owners: Owners, own: t.Container[str] | None = None) -> Told:
    """Return the rounds that runs of a training tell of; without C(own), of whatever run."""
    told = Told()
    rows: deque[RoundRow] = deque(maxlen=MOST_ROUNDS)
    problems: list[str] = []
    try:
        with regular_file(os.path.join(folder, HISTORY_FILE), None, owners) as stream:
            size = os.fstat(stream.fileno()).st_size
            told.every = 1 + size // SITES_LIMIT
            stream.seek(max(0, size - WHOLE_LIMIT))
            for place, line in enumerate(_lines(stream, WHOLE_LIMIT)):
                try:
                    found = round_and_sites(line)
                except ClaimError as error:
                    problems.append(str(error))
                    continue
                if found and (own is None or (found[0].get("told_by") or found[0].get("run_id")) in own):
                    rows.append(small(found[0], found[1] if place % told.every == 0 else None))
    except FileNotFoundError:
        return told
    except OSError as error:
        told.problem = why_unread(error)
        return told
    told.rounds = replay(rows)
    told.again = sum(row.get("configuration_hash") == rows[-1].get("configuration_hash") for row in rows) if rows else 0
    told.again -= len(told.rounds)
    if problems:
        told.problem = f"{problems[0]} (in a line; {len(problems)} in all are left out)"
    return told


def _lines(stream: t.IO[bytes], left: int) -> t.Iterator[bytes]:
    """Yield lines, of one that is too long its beginning: it is judged by that."""
    while left > 0 and (line := stream.readline(min(left, LINE_LIMIT + 1))):
        left -= len(line)
        yield line
        while left > 0 and not line.endswith(b"\n") and (line := stream.readline(min(left, LINE_LIMIT))):
            left -= len(line)


def small(line: t.Mapping[str, t.Any], sites: t.Any = None) -> RoundRow:
    """Return as much of a round as a report tells; C(sites) is what stands there, whatever it is."""
    row = {key: line[key] for key in (*OF_A_ROUND, "configuration_hash") if line.get(key) is not None}
    for key in ("metrics", "phases", "steering"):
        found = line.get(key)
        numbers = (
            {name: short(value) for name, value in found.items() if is_number(value)} if isinstance(found, dict) else {}
        )
        if numbers:
            row[key] = dict(list(numbers.items())[:MOST_METRICS])
    if (spent := epsilon_of(line)) is not None:
        row["epsilon"] = spent
    steering = line.get("steering")
    if isinstance(steering, dict) and steering.get("spike") is True:
        row["spike"] = True
    if isinstance(line.get("deviation"), dict):
        row["deviation"] = str(line["deviation"].get("why"))
    bad = [(kind, entry) for kind in ("failed", "rejected") for entry in line.get(kind) or []]
    if bad:
        row["bad"] = [
            (kind, str(entry["site"]), str(entry.get("work", "")), str(entry.get("reason", ""))) for kind, entry in bad
        ]
    if isinstance(sites, list):
        known = [entry for entry in sites if isinstance(entry, dict) and isinstance(entry.get("site"), str)]
        row["sites"] = {harmless(entry["site"], LONGEST_SITE): _site(entry) for entry in known}
    return row


def _site(entry: t.Mapping[str, t.Any]) -> tuple[t.Any, ...]:
    """Return the letter of what became of a site's work, and its figures in order."""
    told = entry.get("evaluation")
    evaluation: t.Mapping[str, t.Any] = told if isinstance(told, dict) else {}
    found = evaluation.get("metrics")
    metrics: t.Mapping[str, t.Any] = found if isinstance(found, dict) else {}
    figures = {
        **entry,
        "evaluation_loss": evaluation.get("loss"),
        "evaluation_accuracy": metrics.get("accuracy", metrics.get("eval_acc")),
    }
    state = entry.get("state")
    letter = _LETTERS.get(state, WAS_AWAY) if isinstance(state, str) else WAS_AWAY
    return (letter, *(short(figures.get(name)) for name in SITE_FIGURES))


def number(value: t.Any) -> float | None:
    """Return a finite number, or None."""
    if not is_number(value):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def short(value: t.Any) -> t.Any:
    """Return a finite number to six digits, a whole one as it is, and None for what is none."""
    found = number(value)
    if found is None:
        return None
    return value if isinstance(value, int) and abs(value) < 1 << 53 else float(f"{found:.6g}")


def columns(rounds: t.Sequence[RoundRow]) -> RoundRow:
    """Return what is told of each site, a letter and some figures by round.

    C(rounds) are the rounds of these columns, every C(step)th one; C(left_out) is how many sites more there are.
    """
    asked = [row for row in rounds if row.get("sites") is not None]
    often: dict[str, int] = {}
    for row in asked:
        for site in row["sites"]:
            often[site] = often.get(site, 0) + 1
    names = sorted(sorted(often), key=lambda name: -often[name])[:MOST_SITES_TOLD]
    step = max(1, -(-len(asked) * max(1, len(names)) // MOST_CELLS))
    # The last one in any case, which the sites of today are in.
    taken = asked[(len(asked) - 1) % step :: step] if asked else []
    nothing = (WAS_AWAY, *(None for dummy in SITE_FIGURES))
    sites = {}
    for name in sorted(names):
        cells = [row["sites"].get(name, nothing) for row in taken]
        figures = {
            figure: [cell[place] for cell in cells]
            for place, figure in enumerate(SITE_FIGURES, start=1)
            if any(cell[place] is not None for cell in cells)
        }
        sites[name] = {"states": "".join(cell[0] for cell in cells), **figures}
    return {
        "rounds": [row["round"] for row in taken],
        "sites": sites,
        "step": step,
        "left_out": len(often) - len(names),
    }


def groups(rounds: t.Sequence[RoundRow]) -> list[RoundRow]:
    """Return the replies that did not count by their reason, the most frequent first; numbers in it count as one."""
    found: dict[tuple[str, str, str], RoundRow] = {}
    for row in rounds:
        for kind, site, work, reason in row.get("bad") or []:
            key = kind, work, _NUMBERS.sub("#", reason.replace(site, "#"))
            if key not in found and len(found) >= MOST_GROUPS * 10:
                key = kind, "", "of many kinds"
                reason = key[2]
            group = found.setdefault(
                key,
                {"kind": kind, "work": key[1], "reason": reason, "count": 0, "sites": {}, "first": row["round"]},
            )
            group["count"] += 1
            group["last"] = row["round"]
            if site in group["sites"] or len(group["sites"]) < MOST_SITES_TOLD:
                group["sites"][site] = group["sites"].get(site, 0) + 1
    return sorted(found.values(), key=lambda group: -group["count"])[:MOST_GROUPS]


def lean(rounds: t.Sequence[RoundRow]) -> list[RoundRow]:
    """Return the rounds without what C(columns) and C(groups) tell of them."""
    return [
        {
            **{key: value for key, value in row.items() if key not in ("sites", "bad", "configuration_hash")},
            **{
                kind: count
                for kind in ("failed", "rejected")
                if (count := sum(one[0] == kind for one in row.get("bad") or []))
            },
            **_slowest(row),
        }
        for row in rounds
    ]


def _slowest(row: RoundRow) -> RoundRow:
    place = 1 + SITE_FIGURES.index("seconds")
    spans = [cell[place] for cell in (row.get("sites") or {}).values() if cell[place] is not None]
    return {"slowest_site": max(spans)} if spans else {}
