# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that ask for training variables: an AWX survey and OpenNebula's user inputs."""

from __future__ import annotations

import json
import math
from pathlib import Path

from module_utils._config.table import VARIABLES
from module_utils._config.variable import Variable

from . import NOTICE, defaults, kind, listed, plain


def files(root: Path) -> dict[str, str]:
    return {"docs/awx-survey.json": _awx(), "docs/opennebula-user-inputs.txt": _opennebula()}


def _awx() -> str:
    survey = {"name": "Training", "description": NOTICE, "spec": [_question(row) for row in VARIABLES]}
    return json.dumps(survey, indent=2, ensure_ascii=False) + "\n"


def _question(row: Variable) -> dict[str, object]:
    question = {
        "question_name": row.title,
        "question_description": _explained(row),
        "variable": row.ansible,
        "required": False,
    }
    if row.type == "bool" or row.choices:
        # AWX has no question for true and false, and its answer is text either way.
        choices = list(row.choices) or ["true", "false"]
        return {**question, "type": "multiplechoice", "choices": choices, "default": plain(row.default)}
    if row.type == "str":
        return {**question, "type": "text", "min": 0, "max": 1024, "default": "" if row.depends else row.default}
    # AWX wants whole numbers as bounds, even of a float: they are widened, and the table has the last word.
    bounds = {
        "min": -(2**31) if row.minimum is None else math.floor(row.minimum),
        "max": 2**31 - 1 if row.maximum is None else math.ceil(row.maximum),
    }
    kinds = {"int": "integer", "float": "float"}
    return {**question, "type": kinds[row.type], **bounds, "default": "" if row.depends else row.default}


def _explained(row: Variable) -> str:
    parts = [row.help]
    if not row.choices:
        parts.append(f"{kind(row).capitalize()}.")
    if row.strategies:
        parts.append(f"Read by {listed(row.strategies)}.")
    if row.depends:
        parts.append(f"Empty means {defaults(row)}.")
    return " ".join(parts)


def _opennebula() -> str:
    inputs = ",\n".join(f'  {row.context} = "{_input(row)}"' for row in VARIABLES)
    context = ",\n".join(f'  {row.context} = "${row.context}"' for row in VARIABLES)
    return (
        f"# {NOTICE}\n"
        "# For a virtual machine template of OpenNebula. The filter fedops.flower.from_context reads the answers.\n\n"
        f"USER_INPUTS = [\n{inputs}\n]\n\nCONTEXT = [\n{context}\n]\n"
    )


def _input(row: Variable) -> str:
    """One user input: optional or mandatory, type, text, range or choices, default."""
    if row.choices:
        return f"O|list|{row.title}|{','.join(row.choices)}|{row.default}"
    if row.type == "bool":
        return f"O|boolean|{row.title}| |{'YES' if row.default else 'NO'}"
    kinds = {"int": "number", "float": "number-float", "str": "text"}
    return f"O|{kinds[row.type]}|{row.title}| |{'' if row.depends else row.default}"
