# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remarkable about a training, in plain sentences: with the round, the variable to look at, and what to try.

They are hints, and no verdicts: each says what was seen. Everything that comes from sites is data.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from .._base.notation import counted
from .._config.kit import told
from .._config.stopping import stopping_text
from .._flower.app import table_of
from .._supervisor.endings import AGAIN, AT_WORK, ENDINGS, FINISHED, REASONS, WAIT, Reason
from . import figures
from .anomaly import NOTABLE, SERIOUS, Anomaly
from .figures import Report, median, series
from .noise import of_noise
from .rounds import number
from .sites import of_sites

MOST_ANOMALIES = 60
SPIKE = 2.0  # times the median of the last rounds
WINDOW = 5
PLATEAU_GAIN = 0.005  # of the improvement so far
SHORTEST_PLATEAU = 10  # rounds


def found(report: Report) -> list[dict[str, t.Any]]:
    """Return what is remarkable, what is serious first."""
    all_of_them = [
        *_end(report),
        *_lost(report),
        *_history(report),
        *_model(report),
        *of_noise(report),
        *_rounds(report),
        *of_sites(report),
    ]
    ordered = sorted(all_of_them, key=lambda one: one.weight != SERIOUS)
    return [asdict(one) for one in ordered[:MOST_ANOMALIES]]


def setting(report: Report, name: str) -> t.Any:
    """Return what the training has of a variable; None where nobody has told."""
    values = (told(table_of(report, where, "run_config"), name) for where in ("effective", "asked"))
    return next((value for value in values if value is not None), None)


def scaled(report: Report, name: str, factor: float) -> str:
    """Return a value to try: the present one times a factor; empty where that is not known."""
    now = number(setting(report, name))
    return f"{now * factor:.3g} (it is {now:g})" if now else ""


def _reason(word: t.Any, kind: str = "") -> Reason | None:
    """Return a reason why a run was lost, or why a training has ended."""
    return next(
        (one for one in REASONS if one.word == word and (one.kind == kind or (not kind and one.kind != WAIT))), None
    )


def _end(report: Report) -> t.Iterator[Anomaly]:
    supervision = report.get("supervision") or {}
    state, reason = supervision.get("state"), _reason(supervision.get("reason"))
    if not state or state == FINISHED or state in AT_WORK:
        return
    ending = ENDINGS.get(state)
    last = report["rounds"][-1]["round"] if report["rounds"] else None
    action = (reason.action if reason else "") or (ending.action if ending else "")
    where = f"after round {last}" if last else "before any round was finished"
    text = f"The training has not come to its end: {str(state).replace('_', ' ')} {where}."
    text += f" {supervision.get('detail') or ''}"
    yield Anomaly("not_finished", SERIOUS, text.rstrip(), last, value=action.replace("`", ""))


def _lost(report: Report) -> t.Iterator[Anomaly]:
    lost = (report.get("supervision") or {}).get("restart_reasons") or []
    by_reason: dict[str, list[t.Any]] = {}
    for entry in lost:
        by_reason.setdefault(str(entry.get("reason")), []).append(entry)
    for word, entries in by_reason.items():
        reason = _reason(word, AGAIN)
        after = ", ".join(str(entry.get("round") or 0) for entry in entries[:8])
        yield Anomaly(
            "run_lost",
            NOTABLE if len(entries) < 3 else SERIOUS,
            f"Lost ({word}): {counted(len(entries), 'run')}, after round {after}. {entries[-1].get('detail') or ''}",
            entries[0].get("round"),
            value=reason.action.replace("`", "") if reason else "",
        )


def _history(report: Report) -> t.Iterator[Anomaly]:
    gaps = figures.holes(report["rounds"])
    if gaps:
        shown = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in gaps[:8])
        more = f" and {len(gaps) - 8} more" if len(gaps) > 8 else ""
        lost = sum(high - low + 1 for low, high in gaps)
        yield Anomaly(
            "holes",
            NOTABLE,
            f"The history has no line for {counted(lost, 'round')} ({shown}{more}): what happened is not told.",
            gaps[0][0],
            value="look for a full disk or a replaced host at that time; the model is not touched by it",
        )
    if report.get("history_problem"):
        yield Anomaly("history_unread", NOTABLE, f"Lines of the history are left out: {report['history_problem']}.")
    for problem in (report.get("problems") or [])[:5]:
        yield Anomaly("unread", NOTABLE, f"Of this training, {problem}")
    deviations = [row for row in report["rounds"] if row.get("deviation")]
    if deviations:
        first = deviations[0]
        yield Anomaly(
            "not_exact",
            NOTABLE,
            f"From round {first['round']} on the model is not that of an undisturbed training: {first['deviation']}.",
            first["round"],
            "fl_rejoin_timeout",
            scaled(report, "rejoin_timeout", 4) or "a longer time to wait for the sites that took part",
        )


def _model(report: Report) -> t.Iterator[Anomaly]:
    rounds = report["rounds"]
    if not rounds:
        return
    losses = series(rounds, "loss")
    if not losses and not series(rounds, "accuracy"):
        yield Anomaly(
            "no_evaluation",
            NOTABLE,
            "No round has a loss or an accuracy: nobody has evaluated the model.",
            rounds[0]["round"],
            "fl_fraction_evaluate",
            "1.0, or a test set on the SuperLink (evaluate_centrally)",
        )
    missing = [row["round"] for row in rounds if row.get("aggregated") is not False and number(row.get("loss")) is None]
    if losses and missing:
        yield Anomaly(
            "no_number",
            SERIOUS,
            f"The loss is no finite number in {counted(len(missing), 'round')}, the first is round {missing[0]}.",
            missing[0],
            "fl_client_lr",
            scaled(report, "client_lr", 0.1) or "a tenth",
        )
    yield from _zeros(rounds)
    yield from _spikes(report, losses)
    if stopping_text(report.get("result") or {}) == "":
        yield from _course(report)
    norms = series(rounds, "update_norm")
    still = [at for at, value in norms if value == 0]
    if still:
        yield Anomaly(
            "no_step",
            SERIOUS,
            f"The model did not change at all in {counted(len(still), 'round')}, the first is round {int(still[0])}.",
            int(still[0]),
            "fl_client_lr",
            scaled(report, "client_lr", 10) or "a higher one; look whether the task trains anything",
        )


def _zeros(rounds: figures.Rounds) -> t.Iterator[Anomaly]:
    names = sorted({name for row in rounds for name in ("loss", "accuracy", *(row.get("metrics") or {}))})
    for name in names:
        points = series(rounds, name)
        if len(points) >= 2 and all(value == 0 for _at, value in points):
            yield Anomaly(
                "all_zero",
                SERIOUS if name in ("loss", "accuracy") else NOTABLE,
                f"{name} is 0 in all of {counted(len(points), 'round')}: it is probably not measured.",
                int(points[0][0]),
                value="look at evaluate in the task: what it returns, and whether its test set is empty",
            )


def _spikes(report: Report, losses: figures.Points) -> t.Iterator[Anomaly]:
    flagged = {row["round"] for row in report["rounds"] if row.get("spike")}
    seen: list[tuple[int, float, float]] = []
    for place, (at, value) in enumerate(losses):
        before = median(loss for _at, loss in losses[max(0, place - WINDOW) : place])
        is_spike = place >= 3 and before is not None and before > 0 and value > SPIKE * before
        if before and (int(at) in flagged or is_spike):
            seen.append((int(at), value, before))
    # A loss that stays high is one spike, told in its first round.
    firsts = [one for one, earlier in zip(seen, [(-9, 0.0, 0.0), *seen]) if one[0] - earlier[0] > 1]
    if not firsts:
        return
    at, value, before = max(firsts, key=lambda one: one[1] / one[2])
    more = (
        f" It is the highest of {len(firsts)}: rounds {', '.join(str(one[0]) for one in firsts[:8])}."
        if len(firsts) > 1
        else ""
    )
    off = not number(setting(report, "spike_factor"))
    yield Anomaly(
        "spike",
        NOTABLE,
        f"The loss of round {at}, {value:.4g}, is {value / before:.1f} times the median of the rounds before"
        f" ({before:.4g}).{more}",
        at,
        "fl_spike_factor" if off else "fl_client_lr",
        f"{SPIKE:g}, with fl_spike_action" if off else scaled(report, "client_lr", 0.5) or "half",
    )


def _course(report: Report) -> t.Iterator[Anomaly]:
    name, higher = figures.metric_of(report)
    points = series(report["rounds"], name)
    top = figures.best(points, higher)
    if top is None or len(points) <= SHORTEST_PLATEAU:
        return
    sign = 1 if higher else -1
    gained = sign * (top[1] - points[0][1])
    worse = sign * (top[1] - points[-1][1])
    since = sum(at > top[0] for at, _value in points)
    if gained > 0 and worse > 0.25 * gained and since >= 5:
        yield Anomaly(
            "worse_since",
            SERIOUS,
            f"The {name} was best in round {int(top[0])} ({top[1]:.4g}) and has got worse since: {points[-1][1]:.4g} in"
            f" round {int(points[-1][0])}.",
            int(top[0]),
            "fl_early_stopping_patience",
            str(max(5, len(points) // 10)),
        )
        return
    tail = max(SHORTEST_PLATEAU, len(points) // 4)
    before = figures.best(points[:-tail], higher)
    if before is None:
        return
    late = sign * (top[1] - before[1])
    if late <= PLATEAU_GAIN * abs(gained):
        yield Anomaly(
            "plateau",
            NOTABLE,
            f"The {name} has hardly changed in the last {tail} rounds: its best was {before[1]:.4g} before them and is"
            f" {top[1]:.4g}.",
            int(points[-tail][0]),
            "fl_lr_schedule",
            "reduce_on_plateau, or fl_early_stopping_patience to end sooner",
        )


def _rounds(report: Report) -> t.Iterator[Anomaly]:
    rounds = report["rounds"]
    skipped = [row["round"] for row in rounds if row.get("aggregated") is False]
    if skipped:
        yield Anomaly(
            "skipped",
            SERIOUS if len(skipped) * 5 > len(rounds) else NOTABLE,
            f"{counted(len(skipped), 'round')} made no model, first round {skipped[0]}: too few replies were good.",
            skipped[0],
            "fl_min_fit_clients",
            "a lower number, or fl_on_shortfall=retry",
        )
    again = [row for row in rounds if (row.get("attempts") or 1) > 1]
    if again:
        yield Anomaly(
            "repeated",
            NOTABLE,
            f"{counted(len(again), 'round')} had to be begun more than once, the first is round {again[0]['round']}.",
            again[0]["round"],
            "fl_round_timeout",
            "look first at the reasons below: which site was not there",
        )
    unsaved = [row for row in rounds if row.get("checkpoint_problem")]
    if unsaved:
        yield Anomaly(
            "not_saved",
            SERIOUS,
            f"From round {unsaved[0]['round']} on a checkpoint could not be saved, in {counted(len(unsaved), 'round')}:"
            f" {unsaved[-1]['checkpoint_problem']}",
            unsaved[0]["round"],
            "fl_checkpoint_path",
            "a directory with room; docs/storage.md",
        )
