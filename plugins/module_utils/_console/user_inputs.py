# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What OpenNebula asks whoever starts a virtual machine: user inputs, and a service of OneFlow that has them.

A user input is C(O|TYPE|TEXT|RANGE or CHOICES|DEFAULT). A console fills in its default by itself.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._base.errors import FedopsError
from .._config.table import BY_NAME, NOT_ASKED, VARIABLES
from .._config.variable import Variable
from .._flower.use_cases import IN_CONTEXT, OWN_TASK, USE_CASES

USE_CASE_TITLE = "Task"
# What the appliance asks for as well: these in its later releases, with these strategies, and those from the first.
_LATER = (
    "strategy",
    "proximal_mu",
    "server_lr",
    "client_lr",
    "num_malicious",
    "trim_beta",
    "checkpoint_enabled",
    "checkpoint_interval",
    "checkpoint_path",
)
_EARLIER = ("num_rounds", "min_fit_clients", "min_evaluate_clients", "min_available_clients")
_STRATEGIES = ("FedAvg", "FedProx", "FedAdam", "Krum", "Bulyan", "FedTrimmedAvg")
_TYPES = {"int": "number", "float": "number-float", "str": "text"}

USER_INPUT_SELECTIONS = ("required", "appliance", "all")
USER_INPUT_FORMS = ("dict", "template", "service")


class UserInputsError(FedopsError):
    """There is no such selection of user inputs, or no such format."""


def asked_of_people(row: Variable) -> bool:
    """Whether a form may ask for it: what is for demonstrations or playbooks alone stands in no form."""
    return row.group not in NOT_ASKED


def prefilled(row: Variable) -> str:
    """What a console fills in: the first default, whatever the strategy, and a path as the container sees it."""
    if row.type == "bool":
        return "YES" if row.default else "NO"
    return str(next(iter(row.runtime_defaults.values()), row.default))


def user_inputs(selection: str = "appliance") -> dict[str, str]:
    """The definitions by name: the nine of the requirement, those of the appliance, or all that there are."""
    if selection not in USER_INPUT_SELECTIONS:
        raise UserInputsError(f"The selection is {selection!r} but must be one of {', '.join(USER_INPUT_SELECTIONS)}.")
    names = _LATER if selection == "required" else _LATER + _EARLIER
    rows = [BY_NAME[name] for name in names]
    if selection != "all":
        return {row.context: _definition(row, _STRATEGIES if row.name == "strategy" else row.choices) for row in rows}
    rows += [row for row in VARIABLES if row not in rows and asked_of_people(row)]
    use_case = f"O|list|{USE_CASE_TITLE}|{','.join(USE_CASES)}|{OWN_TASK}"
    return {**{row.context: _definition(row, row.choices) for row in rows}, IN_CONTEXT: use_case}


def _definition(row: Variable, choices: tuple[str, ...]) -> str:
    kind = "list" if choices else "boolean" if row.type == "bool" else _TYPES[row.type]
    title = f"{row.title} (container path)" if row.runtime_defaults else row.title
    return f"O|{kind}|{title}|{','.join(choices)}|{prefilled(row)}"


def template(inputs: Mapping[str, str]) -> str:
    """The part of a virtual machine template that asks, and hands the answers on to the machine."""
    asked = ",\n".join(f'  {name} = "{definition}"' for name, definition in inputs.items())
    handed_on = ",\n".join(f'  {name} = "${name}"' for name in inputs)
    return f"USER_INPUTS = [\n{asked}\n]\n\nCONTEXT = [\n{handed_on}\n]\n"


def service(inputs: Mapping[str, str], supernodes: int = 2) -> dict[str, Any]:
    """A service template of OneFlow 6, whose service asks once and hands the answers to the SuperLink alone.

    C(vm_template) is the number of a template of one's own, whose C(CONTEXT) has C(NAME="$NAME") for each of them.
    """
    common = {"vm_template": 0, "shutdown_action": "terminate", "elastic_policies": [], "scheduled_policies": []}
    contents = "\n".join(f'{name} = "${name}"' for name in inputs)
    return {
        "name": "Flower federation",
        "deployment": "straight",
        "ready_status_gate": False,
        "custom_attrs": dict(inputs),
        "roles": [
            {"name": "superlink", "cardinality": 1, **common, "vm_template_contents": contents},
            {"name": "supernode", "cardinality": supernodes, "parents": ["superlink"], **common},
        ],
    }


def rendered(selection: str, form: str) -> object:
    """The user inputs of a selection, as a dictionary, as text for a template, or as a service."""
    inputs = user_inputs(selection)
    if form not in USER_INPUT_FORMS:
        raise UserInputsError(f"The format is {form!r} but must be one of {', '.join(USER_INPUT_FORMS)}.")
    if form == "dict":
        return inputs
    return template(inputs) if form == "template" else service(inputs)
