# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the newest round tells of its sites, by their names or without them.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .._base.pseudonyms import SiteNames

REAL, PSEUDONYMS = "real", "pseudonyms"  # by what sites are told
UNNAMED = "(no pseudonym yet)"
_OF_A_NODE = ("node_id", "status", "online_at", "offline_at")  # what names nobody


def last_sites(history: Sequence[Mapping[str, Any]], names: SiteNames) -> list[dict[str, Any]]:
    """Return what the newest round tells of its sites, by their names as far as these are known."""
    told = (history[-1].get("sites") or []) if history else []
    named = [{**entry, "site": names.real(str(entry["site"]))} for entry in told]
    return [
        {**entry, "reason": names.real(str(entry["reason"]))} if entry.get("reason") else entry
        for entry in sorted(named, key=lambda entry: str(entry["site"]))
    ]


def first_deviation(history: Sequence[Mapping[str, Any]], names: SiteNames) -> str | None:
    """Say in what a training is not the undisturbed one, by the first round that deviates; None where nothing is told.

    Sites are called as C(names) knows them.
    """
    told = next((event for event in history if event.get("deviation")), None)
    return f"round {told['round']}: {names.real(str(told['deviation']['why']))}" if told else None


def without_names(picture: Mapping[str, Any], names: SiteNames) -> dict[str, Any]:
    """Return a picture in which nothing names a site or its host, but for the host of the SuperLink."""
    host = picture["superlink"]["host"]
    nodes = [
        {
            **dict.fromkeys(("site", "host", "fingerprint")),
            **{key: node.get(key) for key in _OF_A_NODE},
            "name": None if node["name"] is None else (node.get("pseudonym") or UNNAMED),
        }
        for node in picture["supernodes"]
    ]
    # Of names that the registry has and the inventory has not.
    problems = [problem for problem in picture["supernode_problems"] if "does not name" not in problem]
    hidden = cast("dict[str, Any]", _hidden({**picture, "supernode_problems": problems}, names))
    return {**hidden, "supernodes": nodes, "superlink": {**hidden["superlink"], "host": host}}


def _hidden(value: Any, names: SiteNames) -> Any:
    if isinstance(value, str):
        word = names.pseudonym(value)
        return word if word != value else names.hidden(value)
    if isinstance(value, Mapping):
        return {key: _hidden(item, names) for key, item in value.items()}
    return [_hidden(item, names) for item in value] if isinstance(value, list) else value
