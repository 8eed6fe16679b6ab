# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a federation as text that a person likes to read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def federation(found: Mapping[str, Any]) -> dict[str, Any]:
    """Make one picture of what the modules have found.

    ``found`` has ``host``, ``health`` (the HTTP status of the health check), ``certificate_days`` (or none),
    ``expected`` (the names of the SuperNodes in the inventory), and what ``supernode_info``, ``run_info`` and
    ``checkpoint_info`` return as ``supernodes``, ``trainings`` and ``latest``.
    """
    nodes = [dict(node) for node in found["supernodes"]]
    known = {node["name"] for node in nodes}
    nodes += [
        {"name": name, "node_id": None, "status": "not registered"} for name in found["expected"] if name not in known
    ]
    return {
        "superlink": {
            "host": found["host"],
            "healthy": found["health"] == 200,
            "certificate_days": found["certificate_days"],
        },
        "supernodes": nodes,
        "trainings": [_training(training) for training in found["trainings"]],
        "checkpoint": found["latest"],
    }


def _training(training: Row) -> dict[str, Any]:
    last = training["history"][-1] if training["history"] else {}
    return {
        **{key: training[key] for key in ("name", "status", "details", "run_id", "num_rounds")},
        **{key: last.get(key) for key in ("round", "loss", "accuracy", "checkpoint_problem")},
    }


def render(status: Mapping[str, Any]) -> str:
    """Write the picture that ``federation`` makes as a page of plain text."""
    parts = [
        _superlink(status["superlink"]),
        _supernodes(status["supernodes"]),
        _trainings(status["trainings"]),
        _checkpoint(status.get("checkpoint")),
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


def age(seconds: float) -> str:
    """Write a span of time in the unit that fits it: ``42 s``, ``3 min``, ``5 h``, ``2 d``."""
    for limit, unit, length in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if seconds < limit:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds // 86400)} d"


def _superlink(superlink: Row) -> str:
    health = "healthy" if superlink.get("healthy") else "NOT HEALTHY"
    days = superlink.get("certificate_days")
    certificate = "certificate unknown" if days is None else f"certificate valid for {days} days"
    return f"SuperLink    {superlink['host']}: {health}, {certificate}"


def _supernodes(nodes: Sequence[Row]) -> str:
    online = sum(node.get("status") == "online" for node in nodes)
    head = f"SuperNodes   {online} of {len(nodes)} online"
    if not nodes:
        return "SuperNodes   none registered"
    rows = [(node.get("name") or "-", node.get("node_id") or "-", node.get("status")) for node in nodes]
    return f"{head}\n{_table(('NAME', 'NODE ID', 'STATUS'), sorted(rows, key=lambda row: str(row[0])))}"


def _trainings(trainings: Sequence[Row]) -> str:
    if not trainings:
        return "Trainings    none yet"
    rows = [
        (
            training["name"],
            training.get("status") or "-",
            f"{training.get('round') or 0}/{training.get('num_rounds') or '?'}",
            _number(training.get("loss")),
            _number(training.get("accuracy")),
            training.get("run_id") or "-",
        )
        for training in trainings
    ]
    table = _table(("NAME", "STATUS", "ROUND", "LOSS", "ACCURACY", "RUN"), rows)
    problems = [
        f"  WARNING {training['name']}: {training['checkpoint_problem']}"
        for training in trainings
        if training.get("checkpoint_problem") and training.get("status") != "completed"
    ]
    return "\n".join(["Trainings", table, *problems])


def _checkpoint(checkpoint: Row | None) -> str:
    if not checkpoint:
        return "Checkpoint   none"
    old = "of unknown age" if checkpoint["age"] is None else f"{age(checkpoint['age'])} old"
    return (
        f"Checkpoint   round {checkpoint['round']} of {checkpoint['training']}, {old}, verified\n  {checkpoint['path']}"
    )


def _number(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}f}" if isinstance(value, (int, float)) else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
