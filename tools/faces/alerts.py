# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is told of: the table of its page."""

from __future__ import annotations

from pathlib import Path

from module_utils._alerts.conditions import ALERT_KINDS

from . import between, table

PAGE = "docs/alerts.md"


def files(root: Path) -> dict[str, str]:
    rows = ([f"`{it.word}`", it.severity, it.meaning, it.action] for it in ALERT_KINDS.values())
    text = table(["Alert", "Severity", "It stands while", "What to do"], rows)
    page = (root / PAGE).read_text("utf-8")
    return {PAGE: between(page, "<!-- begin: alerts -->\n", "<!-- end: alerts -->\n", text, PAGE)}
