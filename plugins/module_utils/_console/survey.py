# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey of AWX that asks for training variables.

No question has a default: AWX would send it as an extra variable, which wins over the inventory, whether or not anybody
has looked at the question. An empty answer leaves the variable to the inventory.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
from typing import Any

from .._base.errors import FedopsError
from .._config.strategies import STRATEGIES, listed
from .._config.table import BY_NAME, VARIABLES
from .._config.variable import LARGEST_INTEGER, Variable
from .._flower.use_cases import OWN_TASK, USE_CASES
from .user_inputs import USE_CASE_TITLE, asked_of_people

# What most trainings are asked for, in this order; parameters of the strategy come after it.
_COMMON = (
    "training_name",
    "strategy",
    "num_rounds",
    "min_available_clients",
    "client_lr",
    "local_epochs",
    "checkpoint_enabled",
    "checkpoint_interval",
)
# Of the strategies that most people choose among, while it is not known which.
_PARAMETERS = ("proximal_mu", "server_lr", "num_malicious", "trim_beta")
_KINDS = {"int": "whole number", "float": "number", "str": "text"}


class SurveyError(FedopsError):
    """There is no such strategy to make a survey for."""


def survey_spec(strategy: str = "", every: bool = False, simulated: bool = False) -> dict[str, Any]:
    """What C(survey_spec/) of a job template takes, for one strategy, or with a question for it.

    With C(every), all variables follow the common ones that the strategy reads. With C(simulated), it is for the
    playbook that simulates, and asks who the sites are first.
    """
    if strategy and strategy not in STRATEGIES:
        raise SurveyError(f"The strategy is {strategy!r} but must be one of {', '.join(STRATEGIES)}.")
    questions = [*(_SIMULATED if simulated else ()), *(_question(row) for row in _asked(strategy, every))]
    if every:
        questions.append(_USE_CASE)
    about = f" by {strategy}. Set fl_strategy to {strategy} in the job template" if strategy else ""
    name, what = ("Simulation", "simulate") if simulated else ("Training", "train")
    return {"name": name, "description": f"What to {what}{about}.", "spec": questions}


def _of_simulation(name: str, title: str, about: str, **kind: Any) -> dict[str, Any]:
    kind = kind or {"type": "text", "min": 0, "max": 1024}
    return {"question_name": title, "question_description": about, "variable": name, "required": False, **kind}


_SIMULATED = (
    _of_simulation(
        "simulate_host",
        "Host of the simulation",
        "A host of the inventory. Left empty, it is the execution environment, and the model is gone with the job.",
    ),
    _of_simulation(
        "simulation_directory", "Folder on that host", "Where environment, data and models of the simulation are."
    ),
    _of_simulation("simulation_sites", "Sites", "How many, or names with commas. Left empty: three, or all with data."),
    _of_simulation(
        "simulation_data", "Folder of data on that host", "It has a folder for each site. Left empty, digits are dealt."
    ),
    _of_simulation(
        "simulation_cpus", "Processors of a site at work", "Left empty: 1.", type="float", min=0, max=1024
    ),
    _of_simulation("simulation_gpus", "GPUs of a site at work", "It may be a part of one. Left empty: none.",
                   type="float", min=0, max=64),
    _of_simulation(
        "simulation_force", "Train again", "Whether to train what is finished.", type="multiplechoice",
        choices=["true", "false"],
    ),
)  # fmt: skip


_USE_CASE = {
    "question_name": USE_CASE_TITLE,
    "question_description": "Which task of the collection is trained; docs/use-cases.md says what data each takes."
    f" Left empty, it is that of the inventory; its default is {OWN_TASK}.",
    "variable": "fl_use_case",
    "required": False,
    "type": "multiplechoice",
    "choices": list(USE_CASES),
}


def _asked(strategy: str, every: bool) -> list[Variable]:
    own = (
        [row for row in VARIABLES if strategy in row.strategies]
        if strategy
        else [BY_NAME[name] for name in _PARAMETERS]
    )
    rows = [BY_NAME[name] for name in _COMMON]
    rows += own
    if every:
        rows += [row for row in VARIABLES if row not in rows and (not strategy or row.applies_to(strategy))]
    return [row for row in rows if asked_of_people(row) and not (strategy and row.name == "strategy")]


def _question(row: Variable) -> dict[str, Any]:
    question: dict[str, Any] = {
        "question_name": row.title,
        "question_description": _explained(row),
        "variable": row.ansible,
        "required": False,
    }
    if row.type == "bool" or row.choices:
        # AWX has no question for true and false, and its answer is text either way.
        return {**question, "type": "multiplechoice", "choices": list(row.choices) or ["true", "false"]}
    if row.type == "str":
        return {**question, "type": "text", "min": 0, "max": 1024}
    # AWX wants whole numbers as bounds, even of a float: they are widened, and the table has the last word.
    largest = row.largest if row.type == "int" else LARGEST_INTEGER
    return {
        **question,
        "type": {"int": "integer", "float": "float"}[row.type],
        "min": -(2**31) if row.minimum is None else math.floor(row.minimum),
        "max": largest if row.maximum is None else math.ceil(row.maximum),
    }


def _explained(row: Variable) -> str:
    parts = [row.help]
    if not row.choices and row.type in _KINDS:
        parts.append(", ".join(filter(None, (_KINDS[row.type].capitalize(), row.bounds or row.pattern_rule))) + ".")
    if row.strategies:
        parts.append(f"Read by {listed(row.strategies)}.")
    parts.append(f"Left empty, it is that of the inventory; its default is {_default(row)}.")
    return " ".join(parts)


def _default(row: Variable) -> str:
    own = "".join(f", {value} with {name}" for name, value in row.strategy_defaults.items())
    value = str(row.default).lower() if row.type == "bool" else str(row.default)
    if row.home_folder:
        return f"{row.home_folder} in runtime_home ({value})"
    return f"{value or 'none'}{own}"
