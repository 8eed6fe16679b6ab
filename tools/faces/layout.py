# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/security.md that say who is who on a host and what belongs to whom."""

from __future__ import annotations

from pathlib import Path

from module_utils._base import layout

from . import between

PAGE = "docs/security.md"
HOSTS = {layout.SUPERLINK_HOST: "SuperLink", layout.SUPERNODE_HOST: "SuperNode"}


def files(root: Path) -> dict[str, str]:
    text = (root / PAGE).read_text("utf-8")
    for name, table in (("accounts", _accounts()), ("folders", _folders())):
        text = between(text, f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n", table, PAGE)
    return {PAGE: text}


def _accounts() -> str:
    rows = ["| Account | Number | On | What for |", "|---|---|---|---|"]
    for account in layout.ACCOUNTS:
        hosts = " and ".join(host for kind, host in HOSTS.items() if account in layout.ON[kind])
        name = f"`{account.name}` (a group)" if account.is_group else f"`{account.name}`"
        rows.append(f"| {name} | {account.number} | {hosts} | {account.purpose} |")
    return "\n".join(rows) + "\n"


def _folders() -> str:
    rows = ["| Folder | Owner | Group | Mode | What it holds |", "|---|---|---|---|---|"]
    for entry in layout.FOLDERS:
        owner, group = (account.name if account else "root" for account in (entry.owner, entry.group))
        rows.append(f"| `{entry.path}` | {owner} | {group} | {entry.mode:04o} | {entry.holds} |")
    return "\n".join(rows) + "\n"
