# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remarkable about single sites.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.notation import counted
from .figures import median, number, of_site
from .rounds import HAS_COUNTED, HAS_FAILED, WAS_AWAY, WAS_REJECTED

FAR = 5.0  # times the median of the others
SLOW = 2.0
LAGGING = 2.0
FEWEST = 3  # rounds that a site is judged by, and sites that one is compared with
MOST_OF_A_KIND = 6
POINTS_AWAY = 0.0  # the cosine to the sum of the others below which an update points away


def totals(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
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


def of_sites(report: t.Mapping[str, t.Any], make: t.Callable[..., t.Any]) -> t.Iterator[t.Any]:
    """Yield what is remarkable."""
    rows = totals(report)
    yield from _dropped(report, make)
    yield from _without_effect(report, rows, make)
    kinds: t.Iterable[t.Callable[..., t.Iterator[t.Any]]] = (_against, _far, _slow, _lagging)
    for kind in kinds:
        yield from list(kind(report, rows, make))[:MOST_OF_A_KIND]
    for group in [one for one in report["not_counted"] if one["kind"] == "rejected"][:MOST_OF_A_KIND]:
        yield make(
            "rejected",
            "notable",
            f"{counted(group['count'], 'reply')} to {group['work'] or 'messages'} rejected, from"
            f" {counted(len(group['sites']), 'site')}, first in round {group['first']}: {group['reason']}".replace(
                "replys", "replies"
            ),
            group["first"],
            "fl_max_update_norm" if "fl_max_update_norm" in group["reason"] else "",
            "look at that site's journal and data first",
        )


def _dropped(report: t.Mapping[str, t.Any], make: t.Callable[..., t.Any]) -> t.Iterator[t.Any]:
    """Sites that counted and then did not any more, to the end, though others did."""
    told, found = report["by_site"], []
    for name, site in told["sites"].items():
        states = site["states"]
        last = states.rfind(HAS_COUNTED)
        others = [at for place, at in enumerate(told["rounds"]) if place > last]
        failed = states[last + 1 :].count(HAS_FAILED) + states[last + 1 :].count(WAS_REJECTED)
        # One that is only chosen now and then is away for a while, but not for as long as it has ever been.
        longest = max((len(gap) for gap in states[:last].split(HAS_COUNTED)), default=0) if last >= 0 else 0
        if last >= 0 and len(others) >= FEWEST and (failed >= FEWEST or len(others) > 3 * (longest + 1)):
            found.append((name, told["rounds"][last], len(others), failed))
    for name, last, missed, failed in found[:MOST_OF_A_KIND]:
        more = f", {failed} times with an error or a rejected reply" if failed else ""
        yield make(
            "drop_out",
            "serious",
            f"{name} has not counted since round {last}, for {counted(missed, 'round')}{more}.",
            last,
            "fl_round_timeout" if failed else "fl_fraction_train",
            "status says whether it is online; look at the journal of its SuperNode",
        )
    if len(found) > MOST_OF_A_KIND:
        yield make("drop_out", "serious", f"{len(found) - MOST_OF_A_KIND} more sites have dropped out.", None)


def _without_effect(
    report: t.Mapping[str, t.Any], rows: t.Sequence[t.Mapping[str, t.Any]], make: t.Callable[..., t.Any]
) -> t.Iterator[t.Any]:
    seen = len(report["by_site"]["rounds"])
    for row in rows[:]:
        if row["counted"] >= 2 and row["update_norm"] == 0:
            yield make(
                "no_effect",
                "serious",
                f"{row['site']} has no effect: it sent the model back as it came, {counted(row['counted'], 'time')}.",
                None,
                "fl_client_lr",
                "look whether its data are empty, and whether its task trains (fl_local_epochs)",
            )
        elif row["counted"] == 0 and seen >= FEWEST and row["failed"] + row["rejected"] >= FEWEST:
            yield make(
                "no_effect",
                "serious",
                f"{row['site']} has no effect: none of its {row['failed'] + row['rejected']} replies counted.",
                None,
                "",
                "the reasons are below; look at the journal of its SuperNode",
            )


def _against(
    report: t.Mapping[str, t.Any], rows: t.Sequence[t.Mapping[str, t.Any]], make: t.Callable[..., t.Any]
) -> t.Iterator[t.Any]:
    told = report["by_site"]
    for row in rows:
        points = of_site(told["sites"][row["site"]], "direction", told["rounds"])
        against = [at for at, value in points if value < POINTS_AWAY]
        if len(points) >= FEWEST and 2 * len(against) > len(points):
            yield make(
                "points_away",
                "serious",
                f"The updates of {row['site']} point away from those of the others in {len(against)} of"
                f" {counted(len(points), 'round')} (cosine {row['direction']:.2f} in the median).",
                int(against[0]),
                "fl_strategy",
                "FedTrimmedAvg, MultiKrum or Bulyan leave such a site out; look at its labels and data first",
            )


def _far(
    report: t.Mapping[str, t.Any], rows: t.Sequence[t.Mapping[str, t.Any]], make: t.Callable[..., t.Any]
) -> t.Iterator[t.Any]:
    for row, usual in _beside(rows, "update_norm"):
        if row["update_norm"] > FAR * usual > 0:
            yield make(
                "far",
                "notable",
                f"The updates of {row['site']} are {row['update_norm'] / usual:.0f} times as long as those of the"
                f" others ({row['update_norm']:.3g}, the others {usual:.3g}).",
                None,
                "fl_max_update_norm",
                f"{3 * usual:.2g}",
            )


def _slow(
    report: t.Mapping[str, t.Any], rows: t.Sequence[t.Mapping[str, t.Any]], make: t.Callable[..., t.Any]
) -> t.Iterator[t.Any]:
    for row, usual in _beside(rows, "seconds"):
        if row["seconds"] > max(SLOW * usual, usual + 1):
            yield make(
                "slow",
                "notable",
                f"All wait for {row['site']}: it trains {row['seconds']:.3g} s, the others {usual:.3g} s.",
                None,
                "fl_local_epochs",
                "fewer, or a smaller share of its data; fl_fraction_train below 1 asks it less often",
            )


def _lagging(
    report: t.Mapping[str, t.Any], rows: t.Sequence[t.Mapping[str, t.Any]], make: t.Callable[..., t.Any]
) -> t.Iterator[t.Any]:
    for row, usual in _beside(rows, "loss"):
        if row["loss"] > LAGGING * usual > 0:
            yield make(
                "lags",
                "notable",
                f"The last training loss of {row['site']} is {row['loss']:.3g}, that of the others {usual:.3g}.",
                None,
                "fl_site_boost",
                "1.5; or FedProx, where its data are of another kind",
            )


def _beside(rows: t.Sequence[t.Mapping[str, t.Any]], figure: str) -> t.Iterator[tuple[t.Mapping[str, t.Any], float]]:
    """Yield each site that has a figure with the median of the others."""
    having = [row for row in rows if number(row[figure]) is not None and row["counted"] >= FEWEST]
    if len(having) < FEWEST:
        return
    for row in having:
        usual = median(other[figure] for other in having if other is not row)
        if usual is not None:
            yield row, usual
