# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/robustness.md, from the results of the benchmarks on the simulated grid."""

from __future__ import annotations

from typing import Any

from . import listed, table

LIKENESS = {100.0: "Sites that are alike", 1.0: "Sites that are unlike"}


def byzantine(content: dict[str, Any]) -> str:
    training, attack = content["training"], content["attack"]
    withstand = [name for name, values in content["parameters"].items() if values.get("num_malicious") == 2]
    parts = [
        f"{content['sites']} sites, {training['num_rounds']} rounds of {training['local_epochs']} local epochs;"
        f" an attacker flips the sign of its update and makes it {attack['attack-scale']:g} times as large."
        f" {listed(tuple(withstand))} are set to withstand 2 in every column."
        f" Mean of {len(content['seeds'])} seeds; in brackets the worst of them.\n"
    ]
    for alpha in dict.fromkeys(row["alpha"] for row in content["results"]):
        rows = [row for row in content["results"] if row["alpha"] == alpha]
        heads = [f"f = {number}" for number in rows[0]["accuracy"]]
        cells = [
            [row["strategy"], *(f"{value:.1%} ({row['lowest'][f]:.1%})" for f, value in row["accuracy"].items())]
            for row in rows
        ]
        parts.append(f"\n{LIKENESS[alpha]} (Dirichlet alpha = {alpha:g}):\n\n{table(['Strategy', *heads], cells)}")
    return "".join(parts)


def liars(content: dict[str, Any]) -> str:
    training, results = content["training"], content["results"]
    most = max((row["seeds"] for row in results), key=len)
    seeds = f"mean of the seeds {', '.join(map(str, most))}" if len(most) > 1 else f"seed {most[0]}"
    parts = [
        f"Some of {content['sites']} sites lie, {training['num_rounds']} rounds of {training['local_epochs']} local"
        f" epochs, {seeds} unless a row says otherwise. Krum, MultiKrum and Bulyan are set to withstand"
        f" {content['withstood']}. The second figure of a cell, where there is one, is with"
        f" `fl_nnm_malicious: {content['withstood']}` ([below](#mixing-in-front-of-a-strategy)).\n"
    ]
    for alpha in dict.fromkeys(row["alpha"] for row in results):
        for liars in sorted({row["liars"] for row in results if row["liars"] and row["alpha"] == alpha}):
            rows = [row for row in results if row["alpha"] == alpha and row["liars"] in (0, liars)]
            names, attacks = (list(dict.fromkeys(row[key] for row in rows)) for key in ("strategy", "attack"))
            cells = [
                [_attack(found, most), *(_reached(found, name) for name in names)]
                for found in ([row for row in rows if row["attack"] == attack] for attack in attacks)
            ]
            head = f"{LIKENESS[alpha]} (Dirichlet alpha = {alpha:g}), f = {liars}"
            parts.append(f"\n{head}:\n\n{table(['Attack', *names], cells)}")
    return "".join(parts)


def _attack(rows: list[dict[str, Any]], most: list[int]) -> str:
    seeds = rows[0]["seeds"]
    fewer = "" if seeds == most else f" (seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})"
    return rows[0]["attack"] + fewer


def _reached(rows: list[dict[str, Any]], strategy: str) -> str:
    """What a strategy reached alone, and behind mixing where that was measured."""
    found = sorted((row for row in rows if row["strategy"] == strategy), key=lambda row: row["mixed"])
    return " / ".join("ends" if row["accuracy"] is None else f"{row['accuracy']:.1%}" for row in found)


def twins(content: dict[str, Any]) -> str:
    training = content["training"]
    about = (
        f"{content['sites']} sites that are alike, {training['num_rounds']} rounds of {training['local_epochs']} local"
        " epochs; means over the seeds.\n\n"
    )
    figures = ("batch", "group", "most_lost")
    cells = [
        [row["strategy"], ", ".join(map(str, row["seeds"])), *(f"{row[name]:.1%}" for name in figures)]
        for row in content["twins"]
    ]
    heads = ["Strategy", "Seeds", "batch normalization", "group normalization", "most lost with a seed"]
    return about + table(heads, cells)


def costs(content: dict[str, Any]) -> str:
    about = (
        f"{content['megabytes']:g} MB in {content['arrays']} arrays, {content['sites']} sites, processor seconds of one"
        f" aggregation, the least of {min(row['turns'] for row in content['costs'])} turns or more.\n\n"
    )
    cells = [
        [row["strategy"], f"{row['first']:.2f}", f"{row['now']:.2f}", f"{row['now'] / row['first']:.2f}"]
        for row in content["costs"]
    ]
    return about + table(["Strategy", "first release", "now", "times as long"], cells)


def drift(content: dict[str, Any]) -> str:
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
    return about + table(heads, cells)
