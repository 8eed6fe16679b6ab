# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a federation as text that a person likes to read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._base.jsonable import harmless_value
from .._base.notation import counted
from .._config.purposes import REAL_TRAINING, SIMULATION, SMOKE, purpose_of
from .._flower.assumptions import OFFLINE, ONLINE
from .columns import number, table
from .gpu_table import gpus_text
from .picture import PICTURE, STATUS_UNKNOWN, Row
from .progress import span_text
from .promises import promise_lines

NOT_REAL: Mapping[str, str] = {SMOKE: "a smoke run", SIMULATION: "a simulation"}
NOT_OURS = "(NOT REGISTERED BY US)"
SHOWN_RESTARTS = 3
SHOWN_BACKLOG = 5
SHOWN_TRACKED = 5


def render(status: Mapping[str, Any]) -> str:
    """Write the picture that ``federation`` makes as a page of plain text."""
    status = harmless_value(status, PICTURE)
    parts = [
        _superlink(status["superlink"]),
        "\n".join(
            [
                _supernodes(status["supernodes"], status["superlink"].get("problem")),
                *map(_warning, status.get("supernode_problems") or []),
            ]
        ),
        *([gpus_text(status["gpus"])] if status.get("gpus") else []),
        _trainings(status["trainings"], status.get("trainings_problem")),
        "\n".join([_checkpoints(status), *map(_warning, status.get("checkpoint_problems") or [])]),
        *([_mirrored(status["mirror"])] if status.get("mirror") else []),
        *([_tracked(status["trackers"])] if status.get("trackers") else []),
    ]
    return "\n\n".join(parts)


def history_table(history: Iterable[Row]) -> str:
    """Write the rounds of a training, one line each."""
    rows = [
        (
            row.get("round"),
            number(row.get("loss")),
            number(row.get("accuracy")),
            number(row.get("replies"), 0),
            number(row.get("failures"), 0),
            number(row.get("seconds"), 1),
            row.get("checkpoint") or ("NOT SAVED" if row.get("checkpoint_problem") else "-"),
        )
        for row in history
    ]
    return table(("ROUND", "LOSS", "ACCURACY", "REPLIES", "FAILURES", "SECONDS", "CHECKPOINT"), rows)


def sites_table(told: Mapping[str, Any]) -> str:
    """Write what a round tells of its sites, one line each, and mean and deviation over them."""
    sites, across = told.get("sites") or [], told.get("across_sites") or {}
    rows = [_site_cells(entry) for entry in sites]
    if across:
        rows.append(["mean", "", *(_spread(across.get(name), digits) for name, digits in _COLUMNS), ""])
    head = ["SITE", "STATE", "EXAMPLES", "LOSS", "EVAL LOSS", "ACCURACY", "UPDATE", "GRADIENT", "SECONDS", "REMARK"]
    shown = [column for column in range(len(head)) if column < 2 or any(row[column] not in ("", "-") for row in rows)]
    return table([head[column] for column in shown], [[row[column] for column in shown] for row in rows])


_COLUMNS = (
    ("examples", 0), ("loss", 4), ("evaluation_loss", 4), ("evaluation_accuracy", 4), ("update_norm", 4),
    ("grad_norm", 4), ("seconds", 1),
)  # fmt: skip


def _site_cells(entry: Row) -> list[Any]:
    evaluation = entry.get("evaluation")
    evaluation = evaluation if isinstance(evaluation, Mapping) else {}
    metrics = evaluation.get("metrics")
    figures = {
        **entry,
        "evaluation_loss": evaluation.get("loss"),
        "evaluation_accuracy": metrics.get("accuracy") if isinstance(metrics, Mapping) else None,
    }
    state = str(entry.get("state") or "evaluated")
    return [
        entry["site"],
        state if state in ("counted", "evaluated") else state.upper(),
        *(number(figures.get(name), digits) for name, digits in _COLUMNS),
        entry.get("reason") or evaluation.get("problem") or "",
    ]


def _spread(spread: Any, digits: int) -> str:
    if not isinstance(spread, Mapping) or not isinstance(spread.get("mean"), (int, float)):
        return "-"
    return f"{number(spread['mean'], digits)} ± {number(spread.get('deviation'), digits)}"


def _superlink(superlink: Row) -> str:
    health = "healthy" if superlink.get("healthy") else "NOT HEALTHY"
    days = superlink.get("certificate_days")
    certificate = "certificate unknown" if days is None else f"certificate valid for {counted(days, 'day')}"
    line = f"SuperLink    {superlink['host']}: {health}, {certificate}"
    if superlink.get("problem"):
        line += f"\n  DOES NOT ANSWER. {superlink['problem']}\n  What follows is what the files on its host tell."
    line += "".join(f"\n{_warning(problem)}" for problem in superlink.get("memory_problems") or [])
    if superlink.get("quiesced"):
        line += f"\n  QUIESCED since {superlink['quiesced']}: nothing is trained until fedops.flower.resume"
    return line


def _supernodes(nodes: Sequence[Row], problem: str | None) -> str:
    known = [node for node in nodes if node.get("name") is not None]
    online = sum(node.get("status") == ONLINE for node in known)
    unknown = bool(problem) and all(node.get("status") == STATUS_UNKNOWN for node in nodes)
    head = "SuperNodes   unknown" if unknown else f"SuperNodes   {online} of {len(known)} online"
    if not nodes:
        return head if unknown else "SuperNodes   none registered"
    rows = [(node.get("name") or NOT_OURS, node.get("node_id") or "-", _standing(node)) for node in nodes]
    return f"{head}\n{table(('NAME', 'NODE ID', 'STATUS'), sorted(rows, key=lambda row: str(row[0])))}"


def _standing(node: Row) -> str:
    """Say how a SuperNode is; of one that is away, since when."""
    since = node.get("offline_at") if node.get("status") == OFFLINE else None
    return f"{node.get('status')}{f' since {since}' if since else ''}"


def _trainings(trainings: Sequence[Row], problem: str | None) -> str:
    if problem:
        return f"Trainings    unknown\n{_warning(problem)}"
    if not trainings:
        return "Trainings    none yet"
    head = ("NAME", "STATE", "ROUND", "LOSS", "ACCURACY", "S/ROUND", "LEFT", "CHECKPOINT", "LOST RUNS", "RUN")
    rows = [
        (
            training["name"],
            training.get("state") or "-",
            f"{training.get('round') or 0}/{training.get('num_rounds') or '?'}",
            number(training.get("loss")),
            number(training.get("accuracy")),
            number(training.get("seconds_per_round"), 1),
            span_text(training["eta_seconds"]) if training.get("eta_seconds") else "-",
            _saved(training.get("checkpoint")),
            training.get("restarts") or 0,
            training.get("run_id") or "-",
        )
        for training in trainings
    ]
    remarks = [f"  {training['name']}: {remark}" for training in trainings for remark in _remarks(training)]
    return "\n".join([f"Trainings\n{table(head, rows)}", *remarks, *_sites_of(trainings)])


def _sites_of(trainings: Sequence[Row]) -> list[str]:
    return [
        f"\nSites        of round {training.get('round')} of {training['name']}\n{sites_table(training)}"
        for training in trainings
        if training.get("sites")
    ]


def _saved(checkpoint: Row | None) -> str:
    if not checkpoint:
        return "-"
    old = _old(checkpoint.get("age"))
    return f"round {checkpoint['round']}{f', {old}' if old else ''}"


def _old(age: float | None) -> str:
    """Say how old something is; nothing where a clock was stepped since, so that it would be of the future."""
    return "" if age is None or age < 0 else f"{span_text(age)} old"


def _remarks(training: Row) -> list[str]:
    """Return what else is worth a line: what is waited for, which runs were lost and why, who failed lately."""
    state, detail = training.get("state") or "-", training.get("detail")
    lines = _no_real_training(training)
    lines += [f"{state.replace('_', ' ')}. {detail}"] if detail and state not in ("running", "completed") else []
    lines += [
        f"run {lost['run_id']} was lost at {lost['time']} after round {lost['round'] or 0}. {lost['detail']}"
        for lost in training.get("restart_reasons", [])[-SHOWN_RESTARTS:]
    ]
    if training.get("checkpoint_problem") and state != "completed":
        lines.append(f"WARNING. {training['checkpoint_problem']}")
    lines += [f"WARNING. {problem}" for problem in training.get("problems") or []]
    if training.get("stopped_early") and state == "completed":
        lines.append(f"{training['stopped_early']}.")
    elif training.get("privacy"):
        lines.append(f"{training['privacy']}.")
    if training.get("deviation"):
        lines.append(f"NOT EXACT (not the bytes of an undisturbed training) since {training['deviation']}.")
    if training.get("promises"):
        lines += promise_lines(training["promises"])
    if training.get("failed_nodes"):
        lines.append(f"failed in the last rounds: {', '.join(training['failed_nodes'])}")
    return lines


def _no_real_training(told: Row) -> list[str]:
    purpose = purpose_of(told)
    return [] if purpose == REAL_TRAINING else [f"no real training, but {NOT_REAL.get(purpose, purpose)}."]


def _checkpoints(status: Row) -> str:
    """Return the newest checkpoint of each training; a picture of an earlier release has the latest alone."""
    newest = status.get("checkpoints") or list(filter(None, [status.get("checkpoint")]))
    seen = {checkpoint["training"] for checkpoint in newest}
    elsewhere = [
        training for training in status["trainings"] if training.get("checkpoint") and training["name"] not in seen
    ]
    return "\n".join([*map(_checkpoint, newest), *map(_elsewhere, elsewhere)]) or "Checkpoint   none"


def _checkpoint(checkpoint: Row) -> str:
    return _kept(checkpoint, checkpoint["training"], "verified", checkpoint["path"])


def _elsewhere(training: Row) -> str:
    """Tell of a checkpoint that a training says it has, and that was not found where was looked."""
    checkpoint, directory = training["checkpoint"], training.get("checkpoint_directory")
    where = (
        f"{directory}/{checkpoint.get('file')}"
        if directory
        else checkpoint.get("file") or "of a name that it alone knows"
    )
    return _kept(checkpoint, training["name"], "not verified", where)


def _kept(checkpoint: Row, training: str, state: str, where: str) -> str:
    old = _old(checkpoint.get("age")) or "of unknown age"
    mark = "".join(f"\n{_warning(f'This is {remark}')}" for remark in _no_real_training(checkpoint))
    return f"Checkpoint   round {checkpoint['round']} of {training}, {old}, {state}\n  {where}{mark}"


def _warning(problem: str) -> str:
    return f"  WARNING. {problem}"


def _mirrored(mirror: Row) -> str:
    backlog = mirror.get("backlog") or []
    if not backlog and not mirror.get("problem"):
        return f"Mirror       complete at {mirror.get('complete')}"
    lines = [f"Mirror       {len(backlog)} to be copied, complete at {mirror.get('complete') or 'no time yet'}"]
    if backlog:
        more = f" and {len(backlog) - SHOWN_BACKLOG} more" if len(backlog) > SHOWN_BACKLOG else ""
        lines.append(f"  to be copied: {', '.join(backlog[-SHOWN_BACKLOG:])}{more}")
    if mirror.get("problem"):
        lines.append(_warning(f"{mirror['problem']}. It tries again."))
    return "\n".join(lines)


def _tracked(trackers: Sequence[Row]) -> str:
    """Say of each tracker how far it is, and what is wrong with it."""
    lines: list[str] = []
    for tracker in trackers:
        rows = [
            f"{row['name']} up to round {row.get('told') or 0} of {row.get('newest') or 0}"
            for row in tracker.get("trainings") or []
        ]
        shown = "; ".join(rows[:SHOWN_TRACKED]) + (
            f" and {len(rows) - SHOWN_TRACKED} more" * (len(rows) > SHOWN_TRACKED)
        )
        lines.append(f"{'Trackers' if not lines else '':<13}{tracker['name']}: {shown}")
        if tracker.get("problem"):
            lines.append(_warning(f"{tracker['problem']}. It tries again; the training does not wait."))
    return "\n".join(lines)
