# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forms that ask for training variables: an AWX survey and OpenNebula's user inputs."""

from __future__ import annotations

import json
import math
from pathlib import Path

from module_utils._config.table import VARIABLES
from module_utils._config.variable import Variable
from module_utils._flower.use_cases import OWN_TASK, USE_CASES

from . import NOTICE, defaults, kind, listed, plain

USE_CASE_TITLE = "Task"
USE_CASE = {
    "question_name": USE_CASE_TITLE,
    "question_description": "Which task of the collection is trained; docs/use-cases.md says what data each takes.",
    "variable": "fl_use_case",
    "required": False,
    "type": "multiplechoice",
    "choices": list(USE_CASES),
    "default": OWN_TASK,
}


def files(root: Path) -> dict[str, str]:
    return {"docs/awx-survey.json": _awx(), "docs/opennebula-user-inputs.txt": _opennebula()}


def _awx() -> str:
    spec = [USE_CASE, *(_question(row) for row in VARIABLES)]
    survey = {"name": "Training", "description": NOTICE, "spec": spec}
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
    use_case = f"O|list|{USE_CASE_TITLE}|{','.join(USE_CASES)}|{OWN_TASK}"
    asked = {"FL_USE_CASE": use_case, **{row.context: _input(row) for row in VARIABLES}}
    inputs = ",\n".join(f'  {name} = "{answer}"' for name, answer in asked.items())
    context = ",\n".join(f'  {name} = "${name}"' for name in asked)
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
