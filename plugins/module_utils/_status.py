# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a federation as text that a person likes to read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._progress import pace, span_text

Row = Mapping[str, Any]

UNKNOWN = "unknown"  # how a SuperNode is while the SuperLink does not answer
SHOWN_RESTARTS = 3
SHOWN_BACKLOG = 5


def federation(found: Mapping[str, Any]) -> dict[str, Any]:
    """Make one picture of what the modules have found.

    ``found`` has ``host``, ``health`` (the HTTP status of the health check), ``certificate_days`` (or none),
    ``expected`` (the names of the SuperNodes in the inventory), since when it is ``quiesced`` (or none), and what
    ``supernode_info``, ``run_info`` and ``checkpoint_info`` return as ``supernodes``, ``trainings`` and ``latest``.
    ``checkpoint_problems`` are the ``problems`` of the last one. Where there is a mirror of the checkpoints, ``mirror``
    is what it remembers. When Flower cannot be asked, ``supernodes`` is none and ``problem`` says why.
    """
    nodes = [dict(node) for node in found["supernodes"] or []]
    known = {node["name"] for node in nodes}
    other = UNKNOWN if found["supernodes"] is None else "not registered"
    nodes += [{"name": name, "node_id": None, "status": other} for name in found["expected"] if name not in known]
    return {
        "superlink": {
            "host": found["host"],
            "healthy": found["health"] == 200,
            "certificate_days": found["certificate_days"],
            "quiesced": found.get("quiesced"),
            "problem": found.get("problem") or None,
        },
        "supernodes": nodes,
        "trainings": [_training(training) for training in found["trainings"]],
        "checkpoint": found["latest"],
        "checkpoint_problems": list(found.get("checkpoint_problems") or []),
        "mirror": _mirror(found.get("mirror")),
    }


def _mirror(state: Row | None) -> dict[str, Any] | None:
    return {key: state.get(key) for key in ("complete", "tried", "backlog", "problem")} if state else None


def _training(training: Row) -> dict[str, Any]:
    history = training["history"]
    last = history[-1] if history else {}
    # Without a supervisor there is the run alone.
    supervision = training.get("supervision") or {**pace(history), "state": training["status"]}
    return {
        **{key: training[key] for key in ("name", "status", "details", "run_id")},
        **{key: last.get(key) for key in ("round", "loss", "accuracy", "checkpoint_problem")},
        "num_rounds": supervision.get("num_rounds") or training["num_rounds"],
        "state": supervision["state"],
        "detail": supervision.get("detail") or training["details"],
        "seconds_per_round": supervision["seconds_per_round"],
        "eta_seconds": supervision["eta_seconds"],
        "checkpoint": supervision.get("checkpoint"),
        "restarts": supervision.get("restarts", 0),
        "restart_reasons": supervision.get("restart_reasons", []),
        "waiting_for": supervision.get("waiting_for", []),
        "failed_nodes": supervision.get("failed_nodes", []),
    }


def render(status: Mapping[str, Any]) -> str:
    """Write the picture that ``federation`` makes as a page of plain text."""
    parts = [
        _superlink(status["superlink"]),
        _supernodes(status["supernodes"], status["superlink"].get("problem")),
        _trainings(status["trainings"]),
        "\n".join([_checkpoint(status.get("checkpoint")), *map(_warning, status.get("checkpoint_problems") or [])]),
        *([_mirrored(status["mirror"])] if status.get("mirror") else []),
    ]
    return "\n\n".join(parts)


def history_table(history: Iterable[Row]) -> str:
    """Write the rounds of a training, one line each."""
    rows = [
        (
            row.get("round"),
            _number(row.get("loss")),
            _number(row.get("accuracy")),
            row.get("replies"),
            row.get("failures"),
            _number(row.get("seconds"), 1),
            row.get("checkpoint") or ("NOT SAVED" if row.get("checkpoint_problem") else "-"),
        )
        for row in history
    ]
    return _table(("ROUND", "LOSS", "ACCURACY", "REPLIES", "FAILURES", "SECONDS", "CHECKPOINT"), rows)


def _superlink(superlink: Row) -> str:
    health = "healthy" if superlink.get("healthy") else "NOT HEALTHY"
    days = superlink.get("certificate_days")
    certificate = "certificate unknown" if days is None else f"certificate valid for {days} days"
    line = f"SuperLink    {superlink['host']}: {health}, {certificate}"
    if superlink.get("problem"):
        line += f"\n  DOES NOT ANSWER. {superlink['problem']}\n  What follows is what the files on its host tell."
    if superlink.get("quiesced"):
        line += f"\n  QUIESCED since {superlink['quiesced']}: nothing is trained until fedops.flower.resume"
    return line


def _supernodes(nodes: Sequence[Row], problem: str | None) -> str:
    online = sum(node.get("status") == "online" for node in nodes)
    unknown = bool(problem) and all(node.get("status") == UNKNOWN for node in nodes)
    head = "SuperNodes   unknown" if unknown else f"SuperNodes   {online} of {len(nodes)} online"
    if not nodes:
        return head if unknown else "SuperNodes   none registered"
    rows = [(node.get("name") or "-", node.get("node_id") or "-", node.get("status")) for node in nodes]
    return f"{head}\n{_table(('NAME', 'NODE ID', 'STATUS'), sorted(rows, key=lambda row: str(row[0])))}"


def _trainings(trainings: Sequence[Row]) -> str:
    if not trainings:
        return "Trainings    none yet"
    head = ("NAME", "STATE", "ROUND", "LOSS", "ACCURACY", "S/ROUND", "LEFT", "CHECKPOINT", "LOST RUNS", "RUN")
    rows = [
        (
            training["name"],
            training.get("state") or "-",
            f"{training.get('round') or 0}/{training.get('num_rounds') or '?'}",
            _number(training.get("loss")),
            _number(training.get("accuracy")),
            _number(training.get("seconds_per_round"), 1),
            span_text(training["eta_seconds"]) if training.get("eta_seconds") else "-",
            _saved(training.get("checkpoint")),
            training.get("restarts") or 0,
            training.get("run_id") or "-",
        )
        for training in trainings
    ]
    remarks = [f"  {training['name']}: {remark}" for training in trainings for remark in _remarks(training)]
    return "\n".join([f"Trainings\n{_table(head, rows)}", *remarks])


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
    lines = [f"{state.replace('_', ' ')}. {detail}"] if detail and state not in ("running", "completed") else []
    lines += [
        f"run {lost['run_id']} was lost at {lost['time']} after round {lost['round'] or 0}. {lost['detail']}"
        for lost in training.get("restart_reasons", [])[-SHOWN_RESTARTS:]
    ]
    if training.get("checkpoint_problem") and state != "completed":
        lines.append(f"WARNING. {training['checkpoint_problem']}")
    if training.get("failed_nodes"):
        lines.append(f"failed in the last rounds: {', '.join(training['failed_nodes'])}")
    return lines


def _checkpoint(checkpoint: Row | None) -> str:
    if not checkpoint:
        return "Checkpoint   none"
    old = _old(checkpoint["age"]) or "of unknown age"
    return (
        f"Checkpoint   round {checkpoint['round']} of {checkpoint['training']}, {old}, verified\n  {checkpoint['path']}"
    )


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


def _number(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
