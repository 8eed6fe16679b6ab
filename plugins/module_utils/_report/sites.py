# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remarkable about single sites.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from itertools import islice

from .._base.notation import counted
from .anomaly import NOTABLE, SERIOUS, Anomaly
from .figures import Report, median, of_site
from .rounds import HAS_COUNTED, HAS_FAILED, WAS_AWAY, WAS_REJECTED, number

FAR = 5.0  # times the median of the others
SLOW = 2.0
LAGGING = 2.0
FEWEST = 3  # rounds that a site is judged by, and sites that one is compared with
MOST_OF_A_KIND = 6
POINTS_AWAY = 0.0  # the cosine to the sum of the others below which an update points away

Totals = t.Sequence[t.Mapping[str, t.Any]]


def totals(report: Report) -> list[dict[str, t.Any]]:
    """Return what each site has come to: how often what, and the middle of its figures, in the order of the names."""
    told = report["by_site"]
    rows = []
    for name, site in told["sites"].items():
        states = site["states"]
        row: dict[str, t.Any] = {
            "site": name,
            "counted": states.count(HAS_COUNTED),
            "failed": states.count(HAS_FAILED),
            "rejected": states.count(WAS_REJECTED),
            "away": states.count(WAS_AWAY),
            "last_round": next(
                (at for at, state in zip(reversed(told["rounds"]), reversed(states)) if state == HAS_COUNTED), None
            ),
        }
        for figure in ("examples", "update_norm", "direction", "seconds"):
            row[figure] = median(value for _at, value in of_site(site, figure, told["rounds"]))
        losses = of_site(site, "loss", told["rounds"])
        row["loss"] = losses[-1][1] if losses else None
        evaluated = of_site(site, "evaluation_loss", told["rounds"])
        row["evaluation_loss"] = evaluated[-1][1] if evaluated else None
        rows.append(row)
    return rows


def of_sites(report: Report) -> t.Iterator[Anomaly]:
    """Yield what is remarkable."""
    rows = totals(report)
    yield from _dropped(report)
    yield from _without_effect(report, rows)
    for kind in (_against, _far, _slow, _lagging):
        yield from islice(kind(report, rows), MOST_OF_A_KIND)
    for group in [one for one in report["not_counted"] if one["kind"] == "rejected"][:MOST_OF_A_KIND]:
        replies = "1 reply" if group["count"] == 1 else f"{group['count']} replies"
        yield Anomaly(
            "rejected",
            NOTABLE,
            f"{replies} to {group['work'] or 'messages'} rejected, from {counted(len(group['sites']), 'site')}, first"
            f" in round {group['first']}: {group['reason']}",
            group["first"],
            "fl_max_update_norm" if "fl_max_update_norm" in group["reason"] else "",
            "look at that site's journal and data first",
        )


def _dropped(report: Report) -> t.Iterator[Anomaly]:
    """Sites that counted and then did not any more, to the end, though others did."""
    told, found = report["by_site"], []
    for name, site in told["sites"].items():
        states = site["states"]
        last = states.rfind(HAS_COUNTED)
        missed = len(told["rounds"]) - last - 1
        failed = states[last + 1 :].count(HAS_FAILED) + states[last + 1 :].count(WAS_REJECTED)
        # One that is only chosen now and then is away for a while, but not for as long as it has ever been.
        longest = max((len(gap) for gap in states[:last].split(HAS_COUNTED)), default=0) if last >= 0 else 0
        if last >= 0 and missed >= FEWEST and (failed >= FEWEST or missed > 3 * (longest + 1)):
            found.append((name, told["rounds"][last], missed, failed))
    for name, last, missed, failed in found[:MOST_OF_A_KIND]:
        more = f", {failed} times with an error or a rejected reply" if failed else ""
        yield Anomaly(
            "drop_out",
            SERIOUS,
            f"{name} has not counted since round {last}, for {counted(missed, 'round')}{more}.",
            last,
            "fl_round_timeout" if failed else "fl_fraction_train",
            "status says whether it is online; look at the journal of its SuperNode",
        )
    if len(found) > MOST_OF_A_KIND:
        yield Anomaly("drop_out", SERIOUS, f"{len(found) - MOST_OF_A_KIND} more sites have dropped out.", None)


def _without_effect(report: Report, rows: Totals) -> t.Iterator[Anomaly]:
    seen = len(report["by_site"]["rounds"])
    for row in rows:
        if row["counted"] >= 2 and row["update_norm"] == 0:
            yield Anomaly(
                "no_effect",
                SERIOUS,
                f"{row['site']} has no effect: it sent the model back as it came, {counted(row['counted'], 'time')}.",
                None,
                "fl_client_lr",
                "look whether its data are empty, and whether its task trains (fl_local_epochs)",
            )
        elif row["counted"] == 0 and seen >= FEWEST and row["failed"] + row["rejected"] >= FEWEST:
            yield Anomaly(
                "no_effect",
                SERIOUS,
                f"{row['site']} has no effect: none of its {row['failed'] + row['rejected']} replies counted.",
                None,
                "",
                "the reasons are below; look at the journal of its SuperNode",
            )


def _against(report: Report, rows: Totals) -> t.Iterator[Anomaly]:
    told = report["by_site"]
    for row in rows:
        points = of_site(told["sites"][row["site"]], "direction", told["rounds"])
        against = [at for at, value in points if value < POINTS_AWAY]
        if len(points) >= FEWEST and 2 * len(against) > len(points):
            yield Anomaly(
                "points_away",
                SERIOUS,
                f"The updates of {row['site']} point away from those of the others in {len(against)} of"
                f" {counted(len(points), 'round')} (cosine {row['direction']:.2f} in the median).",
                int(against[0]),
                "fl_strategy",
                "FedTrimmedAvg, MultiKrum or Bulyan leave such a site out; look at its labels and data first",
            )


def _far(report: Report, rows: Totals) -> t.Iterator[Anomaly]:
    for row, usual in _beside(rows, "update_norm"):
        if row["update_norm"] > FAR * usual > 0:
            yield Anomaly(
                "far",
                NOTABLE,
                f"The updates of {row['site']} are {row['update_norm'] / usual:.0f} times as long as those of the"
                f" others ({row['update_norm']:.3g}, the others {usual:.3g}).",
                None,
                "fl_max_update_norm",
                f"{3 * usual:.2g}",
            )


def _slow(report: Report, rows: Totals) -> t.Iterator[Anomaly]:
    for row, usual in _beside(rows, "seconds"):
        if row["seconds"] > max(SLOW * usual, usual + 1):
            yield Anomaly(
                "slow",
                NOTABLE,
                f"All wait for {row['site']}: it trains {row['seconds']:.3g} s, the others {usual:.3g} s.",
                None,
                "fl_local_epochs",
                "fewer, or a smaller share of its data; fl_fraction_train below 1 asks it less often",
            )


def _lagging(report: Report, rows: Totals) -> t.Iterator[Anomaly]:
    for row, usual in _beside(rows, "loss"):
        if row["loss"] > LAGGING * usual > 0:
            yield Anomaly(
                "lags",
                NOTABLE,
                f"The last training loss of {row['site']} is {row['loss']:.3g}, that of the others {usual:.3g}.",
                None,
                "fl_site_boost",
                "1.5; or FedProx, where its data are of another kind",
            )


def _beside(rows: Totals, figure: str) -> t.Iterator[tuple[t.Mapping[str, t.Any], float]]:
    """Yield each site that has a figure with the median of the others."""
    having = [row for row in rows if number(row[figure]) is not None and row["counted"] >= FEWEST]
    if len(having) < FEWEST:
        return
    for row in having:
        usual = median(other[figure] for other in having if other is not row)
        if usual is not None:
            yield row, usual
