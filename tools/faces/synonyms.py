# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys by which other apps know a variable, in docs/any-app.md."""

from __future__ import annotations

from pathlib import Path

from module_utils._config.synonyms import SYNONYMS
from module_utils._config.table import BY_NAME

from . import between, table

PAGE = "docs/any-app.md"


def files(root: Path) -> dict[str, str]:
    text = (root / PAGE).read_text("utf-8")
    return {PAGE: between(text, "<!-- begin: keys of apps -->\n", "<!-- end: keys of apps -->\n", _keys(), PAGE)}


def _keys() -> str:
    """Every spelling with hyphens; that each may have underscores is said beside the table."""
    rows = [(BY_NAME[name], others) for name, others in SYNONYMS.items()]
    return table(
        ["Variable", "Keys, the first that the app declares"],
        ([f"`{row.ansible}`", ", ".join(f"`{key}`" for key in (*row.keys, *others))] for row, others in rows),
    )
