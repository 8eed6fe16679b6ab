# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the collection brings: what their apps declare, and the list in docs/use-cases.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from module_utils._base.notation import to_toml
from module_utils._flower.use_cases import FOLDER, OWN_TASK, USE_CASES, UseCase

from . import NOTICE, between, licence, table
from .app import PYPROJECT

PAGE = "docs/use-cases.md"
_NOTICE = NOTICE.replace("_config/table.py", "_flower/use_cases.py").replace("from", f"from {PYPROJECT} and")


def files(root: Path, renewed: Mapping[str, str]) -> dict[str, str]:
    """The files, on from the app's own C(pyproject.toml) as another face has renewed it."""
    apps = {
        f"{FOLDER}/{row.name}/pyproject.toml": _pyproject(row, renewed[PYPROJECT])
        for row in USE_CASES.values()
        if row.name != OWN_TASK
    }
    text = (root / PAGE).read_text("utf-8")
    return {**apps, PAGE: between(text, "<!-- begin: use cases -->\n", "<!-- end: use cases -->\n", _listed(), PAGE)}


def _listed() -> str:
    rows = (
        [
            f"[`{row.name}`](#{row.name})",
            row.summary,
            " or ".join(f"`{name}`" for name in row.data),
            ", ".join(f"`{package}`" for package in row.packages),
        ]
        for row in USE_CASES.values()
    )
    return table(["`app_use_case`", "What is trained", "Data of a site", "To be installed besides"], rows)


def _pyproject(row: UseCase, own: str) -> str:
    """The app under another name, so that trainings of two tasks may go on side by side."""
    text = own.replace(licence("Apache-2.0"), f"{licence('Apache-2.0')}# {_NOTICE}\n", 1)
    for key, value in (("name", f"fedops-{row.name}"), ("description", row.summary)):
        text = re.sub(f"(?m)^{key} = .*$", f"{key} = {to_toml(value)}", text, count=1)
    packages = "".join(f"    {to_toml(package)},\n" for package in row.packages)
    return text.replace("dependencies = [\n", f"dependencies = [\n{packages}", 1)
