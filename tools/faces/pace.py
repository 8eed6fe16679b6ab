# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a round takes beside NVFlare and bare Flower, what memory it takes, and what it goes into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import table

OURS = "fedops"
NAMES = {OURS: "this collection", "NVFlare": "NVFlare 2.9", "bare Flower": "bare Flower"}
# What the phases of a round (benchmarks/phases.py) are told as, in their order.
PARTS = {
    "the model goes to the SuperNodes": ("send", "supernode_pause", "to_supernode"),
    "to the ClientApps, which start": ("superexec_pause", "python_and_flower", "to_clientapp", "app_import"),
    "training": ("training",),
    "replies go to the SuperNodes": ("from_clientapp",),
    "to the ServerApp": ("from_supernode", "serverapp_pause", "to_serverapp"),
    "aggregation": ("aggregation", "save"),
}

Row = Mapping[str, Any]


def rounds(content: dict[str, Any]) -> str:
    """The table of seconds, with how many times as long a round takes here as there."""
    cases = _by_case(content)
    systems = [name for name in NAMES if any(name in found for found in cases.values())]
    heads = ["Model", *(NAMES[name] if name == OURS else f"{NAMES[name]} (ours ÷ it)" for name in systems)]
    return table(heads, [[case, *(_seconds(found, name) for name in systems)] for case, found in cases.items()])


def costs(content: dict[str, Any]) -> str:
    """The memory that each system takes, and the phases of our rounds."""
    cases = _by_case(content)
    systems = [name for name in NAMES if any(name in found for found in cases.values())]
    heads = ["Model", *(f"{NAMES[name]}: server, a site" for name in systems)]
    memory = [[case, *(_memory(found.get(name)) for name in systems)] for case, found in cases.items()]
    phases = [
        [case, *(f"{sum(found[OURS]['phases'][name] for name in names):.2f} s" for names in PARTS.values())]
        for case, found in cases.items()
        if OURS in found and found[OURS]["phases"]
    ]
    loads = [row["load_average"] for row in content["results"]]
    return (
        f"The load of the machine ({content['machine']['cores']} cores) was {min(loads):.1f} to {max(loads):.1f}"
        " when the trainings began.\n\n"
        + table(heads, memory)
        + "\nWhat a round of ours goes into, on the way of its last reply:\n\n"
        + table(["Model", *PARTS], phases)
    )


def _by_case(content: dict[str, Any]) -> dict[str, dict[str, Row]]:
    cases: dict[str, dict[str, Row]] = {}
    for row in content["results"]:
        arrays = f"{row['arrays']} {'array' if row['arrays'] == 1 else 'arrays'}"
        cases.setdefault(f"{row['megabytes']} MB in {arrays}", {})[row["system"]] = row
    return cases


def _seconds(found: Mapping[str, Row], name: str) -> str:
    if name not in found:
        return "not measured"
    if not (seconds := found[name]["seconds"]):
        return "failed"
    text = f"{seconds['median']:.1f} s"
    ours = found[OURS]["seconds"] if OURS in found else None
    return text if name == OURS or not ours else f"{text} ({ours['median'] / seconds['median']:.2f})"


def _memory(row: Row | None) -> str:
    return f"{row['server_megabytes']} MB, {row['site_megabytes']} MB" if row and row["seconds"] else ""
