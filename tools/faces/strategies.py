# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What README.md, docs/robustness.md and docs/sizing.md list of the strategies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from module_utils._config.strategies import STRATEGIES, Paper

from . import between, table

README, ROBUSTNESS, SIZING = "README.md", "docs/robustness.md", "docs/sizing.md"


def files(root: Path, renewed: Mapping[str, str]) -> dict[str, str]:
    """The pages, on from where other faces have renewed them."""
    stateful = ", ".join(strategy.name for strategy in STRATEGIES.values() if strategy.state)
    parts = (
        (README, "strategies", "", ", ".join(f"`{name}`" for name in STRATEGIES)),
        (ROBUSTNESS, "papers", "\n", _papers()),
        (SIZING, "strategies with state", "", stateful),
    )
    pages = {page: renewed.get(page) or (root / page).read_text("utf-8") for page, *_rest in parts}
    return {page: _renewed(pages[page], page, name, end, text) for page, name, end, text in parts}


def _renewed(content: str, page: str, name: str, end: str, text: str) -> str:
    return between(content, f"<!-- begin: {name} -->{end}", f"<!-- end: {name} -->{end}", text, page)


def _papers() -> str:
    found: dict[Paper, list[str]] = {}
    for strategy in STRATEGIES.values():
        if strategy.paper:
            found.setdefault(strategy.paper, []).append(strategy.name)
    rows = ([", ".join(names), paper.claim, paper.condition, paper.source] for paper, names in found.items())
    return table(["Strategy", "Claim", "Condition", "Source"], rows)
