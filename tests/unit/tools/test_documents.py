# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents lead to one another, and what they show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._config.differences import differences
from ansible_collections.fedops.flower.plugins.module_utils._config.training import Training
from ansible_collections.fedops.flower.plugins.module_utils._console.context import from_context

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", ".cache", ".ansible", ".git"} & set(path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for place, anchor in LINK.findall(page.read_text("utf-8")):
        target = page.parent / place if place else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{place}#{anchor}" if anchor else place)
    assert lost == []


def test_the_front_page_leads_to_every_page() -> None:
    linked = {place for place, dummy in LINK.findall((DOCS / "README.md").read_text("utf-8"))}
    pages = {path.name for path in DOCS.iterdir() if path.suffix != ".svg"} - {"README.md"}
    assert pages - linked == set()


def test_the_route_of_a_variable_is_as_it_is_told() -> None:
    page = (DOCS / "variable-route.md").read_text("utf-8")
    asked = Training.from_variables(from_context({"FL_STRATEGY": "FedProx", "FL_PROXIMAL_MU": "0.5"}))
    assert asked.strategy_parameters["proximal_mu"] == 0.5
    assert "proximal-mu = 0.5" in asked.toml.splitlines()
    ran = {"strategy": {"name": "FedProx", "class": "FedProx", "parameters": {"proximal_mu": 1.0}}}
    told = [line for line in differences(asked, ran) if "proximal_mu" in line]
    assert [line in page for line in (*told, "`FedProx(proximal_mu=0.5)`", "`proximal-mu = 0.5`")] == [True] * 3


def test_task_names_say_what_changes() -> None:
    """An imperative with an object, as in "Install the certificate": not a look, a word or somebody else's work."""
    files = [
        path for folder in ("roles", "playbooks", "molecule", "testbed") for path in (ROOT / folder).rglob("*.yml")
    ]
    names = [name for path in files for name in re.findall(r"^ *- name: (.+)$", path.read_text("utf-8"), re.M)]
    assert len(names) > 200
    assert [
        name for name in names if name.split()[0] in {"Look", "Say", "Have", "See", "Tell", "Hear", "Remember"}
    ] == []
