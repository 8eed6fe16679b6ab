# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a training as data: what its story tells, by the names that sites may have, and what is remarkable.

This is what is written as JSON (docs/report.schema.json), and what the page is drawn from. It has no time of its own:
the same story gives the same bytes.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import Bounds, harmless, harmless_value, is_whole, loads, plain
from .._base.pseudonyms import SiteNames
from .._config.privacy import EPSILON, PRIVACY, spent_text
from .._config.stopping import stopping_text
from .._flower.app import table_of
from . import anomalies, comparison
from .figures import best, metric_of, series
from .rounds import LONGEST_SITE, MOST_GROUPS, SITE_FIGURES, SITE_STATES, WAS_AWAY, number

REPORT_FORMAT, REPORT_VERSION = "fedops.flower/report", 1
REPORT_LIMIT = 64 << 20  # of an earlier report
MOST_EVENTS = 300
FOREIGN = Bounds(text=20000, items=50_000, depth=12, total=2_000_000)
_OF_A_CHECKPOINT = ("round", "file", "bytes", "sha256", "timestamp", "loss", "accuracy", "num_arrays")
_OF_EFFECTIVE = (
    "run_id",
    "strategy",
    "run_config",
    "resumed_from",
    "flwr_version",
    "app",
    "kit",
    "kit_version",
    "code",
    "configuration_hash",
    "steering",
    "early_stopping",
    "privacy",
    "promises",
    "purpose",
)
_ABSENT: t.Mapping[str, t.Any] = {
    "asked": {},
    "supervision": None,
    "effective": None,
    "result": None,
    "failure": None,
    "runs": [],
    "problems": [],
    "rounds": [],
    "not_counted": [],
    "trained_again": 0,
    "history_problem": "",
}
_NO_SITES: t.Mapping[str, t.Any] = {"rounds": [], "sites": {}, "step": 1, "every": 1, "left_out": 0}


class BadReportError(FedopsError):
    """What should be a report of ours is none."""


def build(
    story: t.Mapping[str, t.Any],
    names: SiteNames,
    real: bool = False,
    checkpoints: t.Iterable[t.Mapping[str, t.Any]] = (),
    baseline: t.Mapping[str, t.Any] | None = None,
) -> dict[str, t.Any]:
    """Return a report; C(baseline) is one, of what it is compared with."""
    training = harmless(str(story["training"]))
    word: t.Callable[[str], str] = names.real if real else names.hidden
    rest = {key: value for key, value in story.items() if key != "by_site"}
    told: dict[str, t.Any] = _renamed(harmless_value({**_ABSENT, **rest}, FOREIGN), word)
    effective = told["effective"]
    report = {
        "format": REPORT_FORMAT,
        "version": REPORT_VERSION,
        "training": training,
        **{key: told[key] for key in _ABSENT},
        "effective": {key: effective[key] for key in _OF_EFFECTIVE if key in effective} if effective else None,
        "not_counted": told["not_counted"][:MOST_GROUPS],
        "checkpoints": sorted(
            ({key: one.get(key) for key in _OF_A_CHECKPOINT} for one in checkpoints if is_whole(one.get("round"))),
            key=lambda one: int(one["round"] or 0),
        ),
    }
    report = {**plain(report), "by_site": _sites(story.get("by_site") or _NO_SITES, word)}
    report["outcome"] = outcome(report)
    report["timeline"] = timeline(report)
    report["anomalies"] = anomalies.found(report)
    report["comparison"] = comparison.compared(report, baseline) if baseline else None
    report["left_out"] = left_out(report)
    return report


def _sites(told: t.Mapping[str, t.Any], word: t.Callable[[str], str]) -> dict[str, t.Any]:
    """Return what is told of single sites: nothing but numbers and letters of ours, of which there may be very many."""
    wide = len(told["rounds"])
    sites = {}
    for name, site in told["sites"].items():
        states = "".join(letter if letter in SITE_STATES else WAS_AWAY for letter in str(site.get("states", "")))
        figures = {key: [number(value) for value in site[key][:wide]] for key in SITE_FIGURES if key in site}
        sites[word(harmless(str(name), LONGEST_SITE))] = {"states": states[:wide].ljust(wide, WAS_AWAY), **figures}
    counts = {key: max(least, int(told.get(key) or 0)) for key, least in (("step", 1), ("every", 1), ("left_out", 0))}
    return {"rounds": [int(at) for at in told["rounds"]], "sites": dict(sorted(sites.items())), **counts}


def _renamed(value: t.Any, word: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, str):
        return word(value)
    if isinstance(value, dict):
        return {word(key) if isinstance(key, str) else key: _renamed(item, word) for key, item in value.items()}
    return [_renamed(item, word) for item in value] if isinstance(value, (list, tuple)) else value


def outcome(report: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return in a few values what a training has come to."""
    rounds, result = report["rounds"], report["result"] or {}
    supervision = report["supervision"] or {}
    name, higher = metric_of(report)
    top = best(series(rounds, name), higher)
    last = rounds[-1] if rounds else {}
    spans = [seconds for row in rounds if (seconds := number(row.get("seconds"))) is not None]
    return {
        "state": supervision.get("state") or ("completed" if result else "unknown"),
        "detail": supervision.get("detail") or (report["failure"] or {}).get("message") or "",
        "stopped_early": stopping_text(result),
        "privacy": _spent(report, last),
        "rounds": len(rounds),
        "last_round": last.get("round", 0),
        "num_rounds": last.get("num_rounds") or supervision.get("num_rounds"),
        "metric": name,
        "higher_is_better": higher,
        "best": top[1] if top else None,
        "best_round": int(top[0]) if top else None,
        "loss": number(last.get("loss")),
        "accuracy": number(last.get("accuracy")),
        "seconds_in_rounds": sum(spans),
        "restarts": supervision.get("restarts") or 0,
        "exact": result.get("exact", last.get("exact")),
    }


def _spent(report: t.Mapping[str, t.Any], last: t.Mapping[str, t.Any]) -> str:
    """Say what of privacy is spent, by the result or else by the last round; empty where nothing is protected."""
    settings = table_of(report, "effective", PRIVACY)
    if spent := spent_text(report["result"] or {}):
        return spent
    return spent_text({PRIVACY: {**settings, EPSILON: last.get(EPSILON)}}) if settings and last else ""


def timeline(report: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return what has happened beside rounds, in order; what has no time comes at its round."""
    events = [
        _event("run_submitted", f"Run {run.get('run_id')} is submitted.", run.get("time")) for run in report["runs"]
    ]
    for lost in (report["supervision"] or {}).get("restart_reasons") or []:
        text = f"Run {lost.get('run_id')} is lost ({lost.get('reason')}). {lost.get('detail') or ''}".rstrip()
        events.append(_event("run_lost", text, lost.get("time"), lost.get("round")))
    before: t.Mapping[str, t.Any] = {}
    for row in report["rounds"]:
        moment, at = row.get("time"), row["round"]
        if before and row.get("run_id") != before.get("run_id"):
            events.append(_event("resumed", f"Round {at} is the first of run {row.get('run_id')}.", moment, at))
        if (row.get("attempts") or 1) > 1:
            events.append(_event("repeated", f"Round {at} was begun {row['attempts']} times.", moment, at))
        if row.get("aggregated") is False:
            events.append(_event("skipped", f"Round {at} made no model.", moment, at))
        if row.get("deviation"):
            events.append(_event("deviation", f"Round {at}: {row['deviation']}.", moment, at))
        if row.get("checkpoint_problem") and not before.get("checkpoint_problem"):
            events.append(_event("not_saved", f"Round {at}: {row['checkpoint_problem']}", moment, at))
        if before.get("checkpoint_problem") and not row.get("checkpoint_problem"):
            events.append(_event("saved_again", f"A checkpoint is saved again in round {at}.", moment, at))
        before = row
    if report["failure"] and not report["result"]:
        failure = report["failure"]
        text = f"The run {failure.get('run_id')} fails ({failure.get('reason')}): {failure.get('message')}"
        events.append(_event("failed", text, failure.get("time")))
    events.sort(key=lambda event: str(event["time"] or "9"))
    return events[:MOST_EVENTS]


def _event(kind: str, text: str, time: t.Any = None, round_: t.Any = None) -> dict[str, t.Any]:
    return {"time": time if isinstance(time, str) else None, "kind": kind, "round": round_, "text": text}


def left_out(report: t.Mapping[str, t.Any]) -> list[str]:
    """Say what is not told, or of which only a part is."""
    told, found = report["by_site"], []
    if (every := told["step"] * told["every"]) > 1:
        found.append(f"Figures of single sites are those of every {every}th round; totals of sites count these alone.")
    if told["left_out"]:
        found.append(f"{told['left_out']} sites more took part than are told of one by one.")
    if report["trained_again"]:
        found.append(
            f"{report['trained_again']} lines of rounds that were trained again are left out; the later ones count."
        )
    if len(report["timeline"]) == MOST_EVENTS:
        found.append(f"Of the time line the first {MOST_EVENTS} events are told.")
    if len(report["not_counted"]) == MOST_GROUPS:
        found.append(f"Of the reasons why replies did not count, the {MOST_GROUPS} most frequent are told.")
    if report["rounds"] and not told["sites"]:
        found.append(
            "The history says nothing of single sites: it is of an earlier release, or of an app that tells none."
        )
    return found


def written(report: t.Mapping[str, t.Any]) -> str:
    """Return the report as JSON text."""
    return json.dumps(report, sort_keys=True, separators=(",", ":"), allow_nan=False) + "\n"


def read_back(text: str | bytes, path: str) -> dict[str, t.Any]:
    """Return a report that was written before, of this release or an earlier one."""
    try:
        found = harmless_value(loads(text), FOREIGN)
    except ValueError:
        found = None
    version = found.get("version") if isinstance(found, dict) and found.get("format") == REPORT_FORMAT else None
    if not is_whole(version):
        raise BadReportError(
            f"{path} is no report of a training. report_baseline is the .json that stands beside the .html of a report,"
            " the name of a training, or previous."
        )
    if version > REPORT_VERSION:
        raise BadReportError(
            f"{path} is a report of version {version}; this release reads {REPORT_VERSION}. Upgrade the collection."
        )
    rounds = found.get("rounds")
    sound = isinstance(rounds, list) and all(isinstance(row, dict) and is_whole(row.get("round")) for row in rounds)
    if not sound or not isinstance(found.get("training"), str):
        raise BadReportError(f"{path} is a damaged report: its rounds or the name of its training cannot be read.")
    whole = {**_ABSENT, **found}
    for key in ("effective", "result", "supervision", "asked"):
        if not isinstance(whole[key], dict):
            whole[key] = {}
    return whole
