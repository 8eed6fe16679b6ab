# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the documents that say what was measured, from the results of the benchmarks."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from module_utils._config import sizing

from . import between, pace, robustness, table

ROBUSTNESS, RECOVERY, STORAGE, SIZING = (f"docs/{page}.md" for page in ("robustness", "recovery", "storage", "sizing"))
PACE, README = "docs/pace.md", "README.md"
CONFIGURATION = "docs/training-configuration.md"
RESULTS = "benchmarks/results"
COUNTED = {"delay": "delay", "submitted": "submitted after", "online": "takes part after"}
REDEPLOYED = "Nothing was formatted, no round was trained twice, and the model is the undisturbed one, byte for byte."
SIZES, REPLIES = (1, 10, 100, 500, 1000, 4000), (3, 10, 50)  # megabytes, and replies to a round
# What may happen, what a checkpoint is for then, what is lost without one, and the drill that was measured.
SCENARIOS = (
    (
        "A SuperNode crashes",
        "none: the model is the server's, and the round is repeated with the site",
        "nothing but the round in flight of that site",
        "SIGKILL of a SuperNode",
    ),
    (
        "The SuperLink crashes",
        "none: the ServerApp is a process of its own and lives on",
        "nothing",
        "SIGKILL of the SuperLink",
    ),
    (
        "The ServerApp crashes",
        "the next run goes on after it",
        "every round",
        "SIGKILL of the ServerApp",
    ),
    (
        "The SuperLink host reboots or loses power",
        "the run after the boot goes on after it",
        "every round",
        "power cut of the SuperLink host, 10 s",
    ),
    (
        "The network is parted",
        "none while the run lives; when it ends for want of SuperNodes, the next run goes on after it",
        "nothing while the run lives, then every round",
        "partition of all SuperNodes, 60 s",
    ),
)
REDEPLOYMENT = (
    "The SuperLink host is destroyed and deployed anew",
    "the new host finds it on the storage that was kept, or in the mirror",
    "every round, as also with `checkpoints_backend: local`",
)


def files(root: Path) -> dict[str, str]:
    pages = {
        ROBUSTNESS: {
            "byzantine": robustness.byzantine,
            "liars": robustness.liars,
            "normalization": robustness.twins,
            "aggregation": robustness.costs,
            "client_drift": robustness.drift,
        },
        RECOVERY: {
            "recovery": lambda content: _drills(content, _result(root, "recovery_busy", there=False)),
            "recovery_hosts": _drills,
            "recovery_random": _kills,
        },
        STORAGE: {"redeploy": _redeploy, "backends": _backends},
        SIZING: {"model_size": _memory},
        README: {"nvflare": pace.rounds},
        PACE: {"nvflare": lambda content: pace.rounds(content) + "\n" + pace.costs(content)},
    }
    renewed = {page: _page(root, page, tables) for page, tables in pages.items()}
    return {**renewed, CONFIGURATION: _configuration(root)}


def _page(root: Path, page: str, tables: Mapping[str, Callable[[dict[str, Any]], str]]) -> str:
    text = (root / page).read_text("utf-8")
    for name, render in tables.items():
        render_of = render(_result(root, name))
        text = between(text, f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n", render_of, page)
    return text


def _configuration(root: Path) -> str:
    results = {name: _result(root, name) for name in ("recovery", "redeploy")}
    drills = {row["drill"]: row for row in results["recovery"]["results"]}
    rows = [
        [scenario, role, loss, f"{drills[drill]['next_round']:.0f} s ({drill})"]
        for scenario, role, loss, drill in SCENARIOS
    ]
    again = results["redeploy"]["result"]["next_round"]
    rows.append([*REDEPLOYMENT, f"{again:.0f} s from the moment at which the new host could be reached"])
    heads = [
        "Scenario",
        "The checkpoint's role",
        "Data loss without a checkpoint",
        "Recovery: until the next round was finished",
    ]
    text = (root / CONFIGURATION).read_text("utf-8")
    return between(text, "<!-- begin: scenarios -->\n", "<!-- end: scenarios -->\n", table(heads, rows), CONFIGURATION)


def _result(root: Path, name: str, there: bool = True) -> dict[str, Any]:
    path = root / RESULTS / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if there or path.exists() else {}


def _drills(content: dict[str, Any], busy: dict[str, Any] | None = None) -> str:
    about = (
        f"{content['supernodes']} SuperNodes, {content['rounds']} rounds; in peace a round takes"
        f" {content['round_seconds']:g} s. {_verdict(content)}\n\n"
    )
    if busy:
        about += (
            f"*Busy*: the same while others compute on every processor; then a round takes {busy['round_seconds']:g} s"
            f" in peace. {_verdict(busy)}\n\n"
        )
    taken = {row["drill"]: row for row in (busy or {}).get("results", [])}
    both = [""] + [", busy"] * bool(busy)
    heads = ["Drill", "What it did to the training", "Next round"]
    heads += [f"{head}{kind}" for head in ("Delay", "Rounds lost", "Counted") for kind in both] + ["Target"]
    cells = []
    for row in content["results"]:
        rows = [row] + [taken.get(row["drill"])] * bool(busy)
        cells.append(
            [row["drill"], _damage(row), f"{row['next_round']:.1f} s"]
            + [f"{each['delay']:.1f} s" if each else "" for each in rows]
            + [str(len(each["repeated"])) if each else "" for each in rows]
            + [_counted(each) if each else "" for each in rows]
            + [f"{row['target']:g} s" if row["target"] else ""]
        )
    return about + table(heads, cells)


def _counted(row: Mapping[str, Any]) -> str:
    if row["counts"] == "delay" and not row["target"]:
        return ""
    return f"{COUNTED[row['counts']]} {row[row['counts']]:.1f} s" if row[row["counts"]] is not None else "not seen"


def _kills(content: dict[str, Any]) -> str:
    delays = sorted(row["delay"] for row in content["results"])
    about = (
        f"{len(delays)} kills in {content['rounds']} rounds. {_verdict(content)}"
        f" Delay: {statistics.median(delays):.1f} s in the median, {delays[-1]:.1f} s at most.\n\n"
    )
    heads = ["Kill", "In round", "What it did to the training", "Delay"]
    cells = [
        [row["drill"].partition(": ")[2], str(row["round"]), _damage(row), f"{row['delay']:.1f} s"]
        for row in content["results"]
    ]
    return about + table(heads, cells)


def _redeploy(content: dict[str, Any]) -> str:
    result = content["result"]
    about = (
        f"{content['supernodes']} SuperNodes, {content['rounds']} rounds; the host was destroyed in round"
        f" {result['destroyed_after_round'] + 1}."
        f" {' '.join(content['problems']) or REDEPLOYED}\n\n"
    )
    heads = ["From the moment at which the new host could be reached", "Seconds"]
    cells = [
        ["until `site` was done", f"{result['site']:.0f}"],
        ["until `train` had submitted the run", f"{result['train']:.0f}"],
        ["until the next round was finished", f"{result['next_round']:.0f}, where 60 to 120 were hoped for"],
    ]
    return about + table(heads, cells)


def _backends(content: dict[str, Any]) -> str:
    rows = {int(size): row for size, row in content["results"].items()}
    names = [name for name in next(iter(rows.values())) if name != content["basis"]]
    cells = [
        [sizing.said(size * sizing.MEGABYTE)]
        + ["{median:.2f} ({lower_quartile:.2f} to {upper_quartile:.2f})".format(**row[name]["ratio"]) for name in names]
        for size, row in rows.items()
    ]
    return table(["Model", *(f"{name}, times {content['basis']}" for name in names)], cells)


def _memory(content: dict[str, Any]) -> str:
    mega, said = sizing.MEGABYTE, sizing.said
    made_of = [
        [host, need.process, said(need.own)]
        + [f"{times:g}" for times in (need.held, need.held_per_reply, need.flying, need.flying_per_reply)]
        for host, needs in (("SuperLink", sizing.SUPERLINK_NEEDS), ("SuperNode", sizing.SUPERNODE_NEEDS))
        for need in needs
    ]
    needed = [
        [said(size * mega)]
        + [said(sizing.memory_needed(size * mega, replies)) for replies in REPLIES]
        + [said(sizing.client_memory_needed(size * mega))]
        for size in SIZES
    ]
    measured = [
        [
            said(row["megabytes"] * mega),
            str(row["replies"]),
            said(row["superlink_host_megabytes"] * mega),
            said(sizing.memory_needed(row["megabytes"] * mega, row["replies"])),
            said(row["supernode_host_megabytes"] * mega),
            said(sizing.client_memory_needed(row["megabytes"] * mega)),
        ]
        for row in content["results"]
        if row["rounds"]
    ]
    return (
        f"PIECES are {said(sizing.PIECES)}.\n\n"
        + table(["Host", "Process", "Own", "Held", "Held per reply", "In flight", "In flight per reply"], made_of)
        + "\nWhich comes to:\n\n"
        + table(["Model", *(f"SuperLink host, {number} replies" for number in REPLIES), "SuperNode host"], needed)
        + "\nMeasured on test hosts (`make bench-model-size`), the peak of all processes together:\n\n"
        + table(["Model", "Replies", "SuperLink host", "said above", "SuperNode host", "said above"], measured)
    )


def _verdict(content: dict[str, Any]) -> str:
    if content["problems"]:
        return " ".join(content["problems"])
    return "Rounds lost: 0. Rounds trained twice: 0. The model is that of the undisturbed training, byte for byte."


def _short(failure: str) -> str:
    """Return what failed without Flower's explanation."""
    return failure.partition(" — ")[0].partition(". ")[0].replace("Error: ", "")


def _damage(row: dict[str, Any]) -> str:
    parts = [f"the run was lost ({reason}), the next one resumed" for reason in row["lost"]]
    if row["failed"]:
        reasons = dict.fromkeys(_short(failure) for failure in row["failed"])
        parts.append(f"the round was repeated ({'; '.join(reasons)})")
    return "; ".join(parts) or "nothing was lost"
