# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/robustness.md, from what the benchmarks have measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from . import between

PAGE = "docs/robustness.md"
RESULTS = "benchmarks/results"
LIKENESS = {100.0: "Sites that are alike", 1.0: "Sites that are unlike"}


def files(root: Path) -> dict[str, str]:
    text = (root / PAGE).read_text("utf-8")
    for name, table in (("byzantine", _byzantine), ("client_drift", _drift)):
        content = json.loads((root / RESULTS / f"{name}.json").read_text("utf-8"))
        text = between(text, f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n", table(content), PAGE)
    return {PAGE: text}


def _byzantine(content: dict[str, Any]) -> str:
    training, attack = content["training"], content["attack"]
    parts = [
        f"{content['sites']} sites, {training['num_rounds']} rounds of {training['local_epochs']} local epochs;"
        f" an attacker flips the sign of its update and makes it {attack['attack-scale']:g} times as large."
        " Krum, MultiKrum and Bulyan are set to withstand 2 in every column."
        f" Mean of {len(content['seeds'])} seeds; in brackets the worst of them.\n"
    ]
    for alpha in dict.fromkeys(row["alpha"] for row in content["results"]):
        rows = [row for row in content["results"] if row["alpha"] == alpha]
        heads = [f"f = {number}" for number in rows[0]["accuracy"]]
        cells = [
            [row["strategy"], *(f"{value:.1%} ({row['lowest'][f]:.1%})" for f, value in row["accuracy"].items())]
            for row in rows
        ]
        parts.append(f"\n{LIKENESS[alpha]} (Dirichlet alpha = {alpha:g}):\n\n{_table(['Strategy', *heads], cells)}")
    return "".join(parts)


def _drift(content: dict[str, Any]) -> str:
    training = content["training"]
    about = (
        f"{content['sites']} sites with very different digits (Dirichlet alpha = {content['alpha']:g}),"
        f" {training['num_rounds']} rounds of {training['local_epochs']} local epochs,"
        f" mean of {len(content['seeds'])} seeds."
        " Client drift is the L2 norm of a site's update, the mean over sites and rounds.\n\n"
    )
    early = content["early_round"]
    heads = ["mu", "client drift", f"accuracy after {early} rounds", f"after {training['num_rounds']} rounds"]
    cells = [
        [
            f"{row['mu']:g}" if row["mu"] else "FedAvg",
            f"{row['drift']:.2f}",
            f"{row['early_accuracy']:.1%}",
            f"{row['accuracy']:.1%}",
        ]
        for row in content["results"]
    ]
    return about + _table(heads, cells)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
