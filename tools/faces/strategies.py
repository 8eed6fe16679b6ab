# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md and pages of docs list of the strategies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from module_utils._config.strategies import AVERAGED, CHOSEN, MEDIAN, STRATEGIES, TRIMMED, Paper, Strategy, readers
from module_utils._config.table import BY_NAME

from . import between, listed, table

README, ROBUSTNESS, STEERING, SIZING, CONFIGURATION = (
    "README.md",
    "docs/robustness.md",
    "docs/steering.md",
    "docs/sizing.md",
    "docs/training-configuration.md",
)
LIARS = range(4)  # numbers of them, in the table of how many clients that takes

# When to choose a strategy. One that is added needs a line here.
CHOOSE = {
    "FedAvg": "you begin: sites are alike enough, and none of them lies",
    "FedProx": "sites are unlike, or train much between two rounds, and their models drift apart",
    "FedAdam": "FedAvg learns slowly or restlessly, and one more learning rate can be tuned",
    "Krum": "few sites may lie, the others are alike, and one site's update is as good as a mean",
    "Bulyan": "sites may lie cleverly, in single weights of a large model, and there are many sites",
    "FedTrimmedAvg": "some sites may lie or be broken, and of ten sites two can be left out at each end",
    "FedMedian": "some may lie, there are few sites, or nobody knows how many of them lie",
    "FedAvgM": "the model swings from round to round, as with few sites in a round",
    "FedAdagrad": "some weights are rarely moved, as those of rare words or classes",
    "FedYogi": "FedAdam reacts too strongly to rounds that differ much",
    "QFedAvg": "no site may be left behind: those with a high loss are to count more",
    "MultiKrum": "few sites may lie, the others are alike, and the mean of several updates is wanted",
}

# What becomes of buffers, by what the row of a strategy says of them.
BUFFERS = {
    AVERAGED: "the mean of all replies, by examples",
    MEDIAN: "the median of each number",
    TRIMMED: "the trimmed mean of each number",
    CHOSEN: "the mean, by examples, of the replies that were chosen. With `fl_num_malicious` f above 0 each number is"
    " first held between the f smallest and the f largest of all replies: a liar may copy an honest site's parameters,"
    " be chosen, and lie in its buffers",
}


def files(root: Path, renewed: Mapping[str, str]) -> dict[str, str]:
    """The pages, on from where other faces have renewed them."""
    stateful = ", ".join(strategy.name for strategy in STRATEGIES.values() if strategy.state)
    parts = (
        (README, "strategies", "", ", ".join(f"`{name}`" for name in STRATEGIES)),
        (ROBUSTNESS, "papers", "\n", _papers()),
        (ROBUSTNESS, "buffers", "\n", _buffers()),
        (STEERING, "strategies with a step", "", listed(readers("server_lr"))),
        (ROBUSTNESS, "differences", "\n", _differences()),
        (SIZING, "strategies with state", "", stateful),
        (CONFIGURATION, "strategies to choose from", "\n", _choices()),
        (CONFIGURATION, "classes and parameters", "\n", _classes()),
        (CONFIGURATION, "clients that are needed", "\n", _clients()),
        (CONFIGURATION, "strategies with state", "", stateful),
    )
    pages: dict[str, str] = {}
    for page, name, end, text in parts:
        before = pages.get(page) or renewed.get(page) or (root / page).read_text("utf-8")
        pages[page] = _renewed(before, page, name, end, text)
    return pages


def _renewed(content: str, page: str, name: str, end: str, text: str) -> str:
    return between(content, f"<!-- begin: {name} -->{end}", f"<!-- end: {name} -->{end}", text, page)


def _differences() -> str:
    rows = ([strategy.name, f"{strategy.differs}."] for strategy in STRATEGIES.values() if strategy.differs)
    return table(["Strategy", "How Flower's class differs"], rows)


def _papers() -> str:
    found: dict[Paper, list[str]] = {}
    for strategy in STRATEGIES.values():
        if strategy.paper:
            found.setdefault(strategy.paper, []).append(strategy.name)
    rows = ([", ".join(names), paper.claim, paper.condition, paper.source] for paper, names in found.items())
    return table(["Strategy", "Claim", "Condition", "Source"], rows)


def _buffers() -> str:
    names = {kind: ", ".join(row.name for row in STRATEGIES.values() if row.buffers == kind) for kind in BUFFERS}
    return table(["Strategy", "What becomes of buffers"], ([names[kind], BUFFERS[kind]] for kind in BUFFERS))


def _choices() -> str:
    rows = ([f"`{row.name}`", row.summary, _when(row.name), "yes" if row.robust else ""] for row in STRATEGIES.values())
    return table(["`fl_strategy`", "What it does", "Choose it when", "Withstands liars"], rows)


def _when(name: str) -> str:
    if name not in CHOOSE:
        raise SystemExit(f"tools/faces/strategies.py does not say when to choose {name}. Add a line to CHOOSE.")
    return CHOOSE[name]


def _classes() -> str:
    rows = ([row.name, f"`flwr.serverapp.strategy.{row.name}`", _parameters(row)] for row in STRATEGIES.values())
    return table(["Strategy", "Flower's class", "Its variables, with the parameter and the default"], rows)


def _parameters(row: Strategy) -> str:
    return ", ".join(
        f"`{BY_NAME[name].ansible}` (`{keyword}`, {BY_NAME[name].default_for(row.name)})"
        for keyword, name in row.parameters.items()
    )


def _clients() -> str:
    rows = (
        [row.name, f"n ≥ {row.malicious_factor}f + 3", *(str(row.malicious_factor * liars + 3) for liars in LIARS)]
        for row in STRATEGIES.values()
        if row.malicious_factor
    )
    return table(["Strategy", "Clients", *(f"f = {liars}" for liars in LIARS)], rows)
