# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a federation as text that a person likes to read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .._base.home import HOME
from .._base.jsonable import Bounds, harmless, harmless_value, loads
from .._flower.assumptions import ONLINE
from .progress import pace, span_text

Row = Mapping[str, Any]

NOT_OURS = "(NOT REGISTERED BY US)"
STATUS_UNKNOWN = "unknown"  # how a SuperNode is while the SuperLink does not answer
SHOWN_RESTARTS = 3
SHOWN_BACKLOG = 5
SHOWN_STRANGERS = 20
SHOWN_OF_A_HOST, SHOWN_WORDS = 5, 400
UNREGISTER = "bin/flwr supernode unregister NODE_ID local"
LARGE = 1e9  # numbers beyond are written with their power of ten
CELL = 100  # characters of a cell of a table
PICTURE = Bounds(text=2000, items=1000, depth=12, total=100_000)


def federation(found: Mapping[str, Any]) -> dict[str, Any]:
    """Make one picture of what the modules have found.

    ``found`` has ``host``, ``health`` (the HTTP status of the health check), ``certificate_days`` (or none),
    ``expected`` (the names of the SuperNodes in the inventory), since when it is ``quiesced`` (or none), and what
    ``supernode_info``, ``run_info`` and ``checkpoint_info`` return as ``supernodes``, ``trainings`` and ``latest``.
    ``checkpoints`` and ``checkpoint_problems`` are the ``trainings`` and ``problems`` of the last one. Where there
    is a mirror of the checkpoints, ``mirror`` is what it remembers, or ``mirror_state`` the text of that. When
    Flower cannot be asked, ``supernodes`` is none and ``problem`` says why; when the trainings cannot be looked at,
    ``trainings_problem`` does. ``memory_problems`` says which services were killed for want of memory, and
    ``memory_of_hosts`` what the hosts of SuperNodes say of theirs.
    """
    nodes = [dict(node) for node in found["supernodes"] or []]
    known = {node["name"] for node in nodes}
    other = STATUS_UNKNOWN if found["supernodes"] is None else "not registered"
    nodes += [{"name": name, "node_id": None, "status": other} for name in found["expected"] if name not in known]
    picture = {
        "superlink": {
            "host": found["host"],
            "healthy": found["health"] == 200,
            "certificate_days": found["certificate_days"],
            "quiesced": found.get("quiesced"),
            "problem": found.get("problem") or None,
            "memory_problems": list(found.get("memory_problems") or []),
        },
        "supernodes": nodes,
        "supernode_problems": [
            *strangers(nodes, found["expected"], found["host"], found.get("home") or HOME),
            *told_by_hosts(found.get("memory_of_hosts") or {}),
        ],
        "trainings": [_training(training) for training in found["trainings"]],
        "trainings_problem": found.get("trainings_problem") or None,
        "checkpoint": found["latest"],
        "checkpoints": list(found.get("checkpoints") or []),
        "checkpoint_problems": list(found.get("checkpoint_problems") or []),
        "mirror": _mirror(found.get("mirror") or mirror_state(found.get("mirror_state"))),
    }
    return cast("dict[str, Any]", harmless_value(picture, PICTURE))


def strangers(nodes: Sequence[Row], expected: Iterable[str], host: str, home: str) -> list[str]:
    """Say which SuperNodes are registered that this inventory does not know, and what to do about them."""
    names, found = set(expected), []
    if foreign := [str(node["node_id"]) for node in nodes if node["name"] is None]:
        what, them = (_counted(foreign), "it") if len(foreign) == 1 else (_counted(foreign), "each")
        found.append(
            f"{what} that nobody of this inventory has registered: node id {_some(foreign)}."
            f" Whoever did had the SuperLink's Control API, which only {host} itself reaches: look who was there."
            f" Unregister {them} on {host} with 'sudo -u flower-control {home}/{UNREGISTER}'."
        )
    if names and (left := [node["name"] for node in nodes if node["name"] is not None and node["name"] not in names]):
        found.append(
            f"{_counted(left)} that the inventory does not name: {_some(left)}. Put their hosts back into it, or have"
            " them unregistered with state=absent of the module fedops.flower.supernode."
        )
    return found


def told_by_hosts(problems: Mapping[str, Any]) -> list[str]:
    """Return what hosts say of their services, as the words of strangers: only so many, and only so long."""
    return [
        f"{host}: {problem[:SHOWN_WORDS]}"
        for host, told in sorted(problems.items())
        for problem in (told if isinstance(told, list) else [])[:SHOWN_OF_A_HOST]
        if isinstance(problem, str)
    ]


def _counted(nodes: Sequence[Any]) -> str:
    return "1 SuperNode is registered" if len(nodes) == 1 else f"{len(nodes)} SuperNodes are registered"


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_STRANGERS
    return ", ".join(names[:SHOWN_STRANGERS]) + (f" and {more} more" if more > 0 else "")


def _mirror(state: Row | None) -> dict[str, Any] | None:
    return {key: state.get(key) for key in ("complete", "tried", "backlog", "problem")} if state else None


def mirror_state(text: str | None) -> dict[str, Any] | None:
    """Return what the mirror remembers, by the text of its file."""
    if not text:
        return None
    try:
        state = harmless_value(loads(text), PICTURE)
    except ValueError:
        state = None
    if not isinstance(state, dict):
        return {"problem": "What it remembers (state.json) cannot be read"}
    backlog = state.get("backlog")
    return {**state, "backlog": [str(file) for file in backlog] if isinstance(backlog, list) else []}


def _training(training: Row) -> dict[str, Any]:
    history = training.get("history") or []
    last = history[-1] if history else {}
    # Without a supervisor there is the run alone.
    supervision = training.get("supervision") or {**pace(history), "state": training.get("status")}
    return {
        **{key: training.get(key) for key in ("name", "status", "details", "run_id")},
        **{key: last.get(key) for key in ("round", "loss", "accuracy", "checkpoint_problem")},
        "num_rounds": supervision.get("num_rounds") or training.get("num_rounds"),
        "state": supervision.get("state"),
        "detail": supervision.get("detail") or training.get("details"),
        "problems": list(training.get("problems") or []),
        "seconds_per_round": supervision.get("seconds_per_round"),
        "eta_seconds": supervision.get("eta_seconds"),
        "checkpoint": supervision.get("checkpoint"),
        "restarts": supervision.get("restarts", 0),
        "restart_reasons": supervision.get("restart_reasons", []),
        "waiting_for": supervision.get("waiting_for", []),
        "failed_nodes": supervision.get("failed_nodes", []),
    }


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
        _trainings(status["trainings"], status.get("trainings_problem")),
        "\n".join([_checkpoints(status), *map(_warning, status.get("checkpoint_problems") or [])]),
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
            _number(row.get("replies"), 0),
            _number(row.get("failures"), 0),
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
    rows = [(node.get("name") or NOT_OURS, node.get("node_id") or "-", node.get("status")) for node in nodes]
    return f"{head}\n{_table(('NAME', 'NODE ID', 'STATUS'), sorted(rows, key=lambda row: str(row[0])))}"


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
    lines += [f"WARNING. {problem}" for problem in training.get("problems") or []]
    if training.get("failed_nodes"):
        lines.append(f"failed in the last rounds: {', '.join(training['failed_nodes'])}")
    return lines


def _checkpoints(status: Row) -> str:
    """Return the newest checkpoint of each training; a picture of an earlier release has the latest alone."""
    newest = status.get("checkpoints") or list(filter(None, [status.get("checkpoint")]))
    return "\n".join(map(_checkpoint, newest)) or "Checkpoint   none"


def _checkpoint(checkpoint: Row) -> str:
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
    if not isinstance(value, (int, float)):
        return "-"
    return f"{value:.{digits}f}" if abs(value) < LARGE else f"{value:.{digits}e}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [[harmless(str(cell), CELL) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    )
