# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The training role: its defaults and its argument specification."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import yaml
from module_utils._config.limits import DEFAULT
from module_utils._config.table import GROUPS, VARIABLES
from module_utils._config.variable import Variable

from . import NOTICE, defaults, kind, licence, listed

DEFAULTS = "roles/training/defaults/main/generated.yml"
ARGUMENTS = "roles/training/meta/argument_specs.yml"
OWN_OPTIONS = "tools/faces/training_role.yml"  # written by hand: what the role takes beside the table
WIDTH = 118


def files(root: Path) -> dict[str, str]:
    own = yaml.safe_load((root / OWN_OPTIONS).read_text("utf-8"))
    for name, option in own["options"].items():
        if name.removeprefix("training_") in DEFAULT:
            option["default"] = DEFAULT[name.removeprefix("training_")]
    numbers = [name for name in own["options"] if name.removeprefix("training_") in DEFAULT]
    return {DEFAULTS: _defaults(numbers), ARGUMENTS: _arguments(own)}


def _defaults(numbers: list[str]) -> str:
    parts = [
        f"---\n{licence()}# {NOTICE}\n",
        _comment(
            "null means that nobody has set it: then the context of an OpenNebula machine counts, and then the default "
            "that the comment gives. docs/variables.md describes every variable."
        ),
    ]
    for group, title in GROUPS.items():
        parts.append(f"\n# {title}\n# {'-' * len(title)}\n")
        parts += [_default(row) for row in VARIABLES if row.group == group]
    parts += ["\n# How the training is supervised\n# ------------------------------\n"]
    parts += [f"{name}: {DEFAULT[name.removeprefix('training_')]}\n" for name in numbers]
    return "".join(parts)


def _default(row: Variable) -> str:
    lines = _comment(f"{row.help} {_sentence(kind(row))}")
    if row.strategies:
        lines += _comment(f"Read by {listed(row.strategies)}.")
    lines += _comment(f"Default: {defaults(row) or 'none'}.")
    return f"{lines}{row.ansible}: null\n\n".replace("\n\n", "\n")


def _comment(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False) + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _arguments(own: dict[str, Any]) -> str:
    options = {**own["options"], **{row.ansible: _option(row) for row in VARIABLES}}
    main = {**{key: value for key, value in own.items() if key != "options"}, "options": options}
    text = yaml.dump(
        {"argument_specs": {"main": main}}, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True
    )
    return (
        f"---\n{licence()}# {NOTICE}\n"
        + f"# The options of the role itself are written by hand in {OWN_OPTIONS}.\n"
        + _comment(
            "A variable of the table has type raw, because its value may arrive re-typed (as text from a survey, or as "
            "nothing); fedops.flower.training_config checks it."
        )
        + f"\n{text}"
    )


def _option(row: Variable) -> dict[str, object]:
    description = [row.help, _sentence(kind(row))]
    if row.strategies:
        description.append(f"Read by {listed(row.strategies)}, ignored by the other strategies.")
    description.append(f"When it is unset, the default is {defaults(row) or 'none'}.")
    return {"description": description, "type": "raw"}


class _Dumper(yaml.SafeDumper):
    """Indents lists as yamllint wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)
