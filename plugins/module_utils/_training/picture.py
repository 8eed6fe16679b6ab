# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of a federation, of what the modules have found on its hosts.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from .._base.errors import FedopsError
from .._base.home import HOME
from .._base.jsonable import Bounds, harmless_value, loads
from .._base.notation import show
from .._base.pseudonyms import SiteNames
from .._config.privacy import spent_text
from .._config.purposes import purpose_of
from .._config.stopping import stopping_text
from .progress import pace
from .promises import promises_of
from .sites import PSEUDONYMS, REAL, first_deviation, last_sites, without_names

Row = Mapping[str, Any]
STATUS_UNKNOWN = "unknown"  # how a SuperNode is while the SuperLink does not answer
SHOWN_STRANGERS = 20
SHOWN_OF_A_HOST, SHOWN_WORDS = 5, 400
SHOWN_SITES = 100
SHOWN_GPUS = 64  # of a host
GPU_COLUMNS = ("index", "name", "uuid", "driver", "supernodes", "memory", "memory_used", "busy", "problem")
UNREGISTER = "bin/flwr supernode unregister NODE_ID local"
PICTURE = Bounds(text=2000, items=1000, depth=12, total=100_000)


class PictureError(FedopsError):
    """What is asked for cannot be shown."""


def federation(found: Mapping[str, Any]) -> dict[str, Any]:
    """Make one picture of what the modules have found.

    ``found`` has ``host``, ``health`` (the HTTP status of the health check), ``certificate_days`` (or none),
    ``expected`` (the names of the SuperNodes in the inventory), since when it is ``quiesced`` (or none), and what
    ``supernode_info``, ``run_info`` and ``checkpoint_info`` return as ``supernodes``, ``trainings`` and ``latest``.
    ``checkpoints`` and ``checkpoint_problems`` are the ``trainings`` and ``problems`` of the last one. Where there
    is a mirror of the checkpoints, ``mirror`` is what it remembers, or ``mirror_state`` the text of that. When
    Flower cannot be asked, ``supernodes`` is none and ``problem`` says why; when the trainings cannot be looked at,
    ``trainings_problem`` does. ``memory_problems`` says which services were killed for want of memory, and
    ``memory_of_hosts`` what the hosts of SuperNodes say of theirs, as ``gpus_of_hosts`` does of their GPUs.
    ``site_names`` has names and pseudonyms of sites, as ``run_info`` has them, and ``trackers`` what follows trainings;
    ``names`` says by which of them they are told.
    """
    if found.get("names", REAL) not in (REAL, PSEUDONYMS):
        raise PictureError(f"status_names is {show(found['names'])} but must be {REAL} or {PSEUDONYMS}.")
    names = SiteNames(found.get("site_names") or found["supernodes"] or [])
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
        "gpus": gpus_of_hosts(found.get("gpus_of_hosts") or {}),
        "trainings": [_training(training, names) for training in found["trainings"]],
        "trainings_problem": found.get("trainings_problem") or None,
        "checkpoint": found["latest"],
        "checkpoints": list(found.get("checkpoints") or []),
        "checkpoint_problems": list(found.get("checkpoint_problems") or []),
        "trackers": list(found.get("trackers") or []),
        "mirror": _mirror(found.get("mirror") or mirror_state(found.get("mirror_state"))),
    }
    if found.get("names") == PSEUDONYMS:
        picture = without_names(picture, names)
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
            f"{_counted(left)} that the inventory does not name: {_some(left)}. Put their hosts back into it, name"
            " those that others run in superlink_external_supernodes, or unregister them with fedops.flower.admit."
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


def gpus_of_hosts(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the GPUs of all hosts, each as its host tells of it: the words of strangers."""
    return [
        {"host": host, **{key: row.get(key) for key in GPU_COLUMNS}}
        for host, rows in sorted(told.items())
        for row in (rows if isinstance(rows, list) else [])[:SHOWN_GPUS]
        if isinstance(row, Mapping)
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


def _training(training: Row, names: SiteNames) -> dict[str, Any]:
    history = training.get("history") or []
    last = history[-1] if history else {}
    # Without a supervisor there is the run alone.
    supervision = training.get("supervision") or {
        **pace(history, bool(training.get("alive"))),
        "state": training.get("status"),
    }
    return {
        **{key: training.get(key) for key in ("name", "status", "details", "run_id")},
        **{key: last.get(key) for key in ("round", "loss", "accuracy", "checkpoint_problem")},
        "num_rounds": supervision.get("num_rounds") or training.get("num_rounds"),
        "state": supervision.get("state"),
        "purpose": supervision.get("purpose") or purpose_of(training.get("effective")),
        "detail": supervision.get("detail") or training.get("details"),
        "problems": list(training.get("problems") or []),
        "seconds_per_round": supervision.get("seconds_per_round"),
        "eta_seconds": supervision.get("eta_seconds"),
        "checkpoint": supervision.get("checkpoint"),
        "checkpoint_directory": supervision.get("checkpoint_directory"),
        "restarts": supervision.get("restarts", 0),
        "restart_reasons": supervision.get("restart_reasons", []),
        "waiting_for": supervision.get("waiting_for", []),
        "failed_nodes": supervision.get("failed_nodes", []),
        "exact": last.get("exact"),
        "deviation": first_deviation(history, names),
        "stopped_early": stopping_text(last) or None,
        "privacy": spent_text(last) or None,
        "promises": promises_of(training),
        "sites": last_sites(history, names)[:SHOWN_SITES],
        "across_sites": last.get("across_sites") or {},
    }
