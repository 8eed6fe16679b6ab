# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of every default that the rows which decide the model's bytes have had: it only grows."""

from __future__ import annotations

import json
from pathlib import Path

from module_utils._config.continuity import DEFAULTS, FIRST, present_default
from module_utils._config.table import VARIABLES

from . import between

RECORD = "plugins/module_utils/_config/continuity.py"
BEGIN, END = "    # --- begin: generated ---\n", "    # --- end: generated ---\n"


def files(root: Path) -> dict[str, str]:
    record = "".join(f'    "{name}": {_shown(had)},\n' for name, had in _grown().items())
    return {RECORD: between((root / RECORD).read_text("utf-8"), BEGIN, END, record, RECORD)}


def _grown() -> dict[str, tuple]:
    """The record, with the present default of each row where it is another one than the last."""
    grown = {name: tuple(had) for name, had in DEFAULTS.items()}
    for row in VARIABLES:
        if not row.identity:
            continue
        had, default = grown.get(row.name, ()), present_default(row)
        if not had and row.name not in FIRST and len(default) > 1:
            raise SystemExit(
                f"The row {row.name} is new, and what trainings did before it does not depend on the strategy: give it"
                " the one default that means just that, run tools/generate.py, and then the defaults it is to have."
            )
        if not had or had[-1] != default:
            grown[row.name] = (*had, default)
    return grown


def _shown(had: tuple) -> str:
    """A tuple as the formatter of the code leaves it."""
    shown = ["{" + ", ".join(f"{_literal(key)}: {_literal(value)}" for key, value in one.items()) + "}" for one in had]
    return f"({shown[0]},)" if len(shown) == 1 else "(\n" + "".join(f"        {one},\n" for one in shown) + "    )"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)
