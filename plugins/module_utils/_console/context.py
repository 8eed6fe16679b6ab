# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the context of a virtual machine of OpenNebula says about training.

It is below everything that an operator says: it gives only what inventory and command line leave unset. A console fills
in its defaults by itself, so that a value that is the default of its definition says nothing at all.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._base.home import HOME
from .._base.notation import is_unset
from .._base.runtimes import RUNTIMES
from .._config.situation import INFO, Problem
from .._config.table import BY_CONTEXT, RUNTIME_NAMES
from .._config.training import mapping, nearest
from .._config.values import BadValue, parse
from .._config.variable import Variable
from .._flower.use_cases import IN_CONTEXT, NO_USE_CASE, OWN_TASK
from .appliance import CONTAINER_HOME, NOT_ABOUT_TRAINING
from .machine import of_flower
from .user_inputs import prefilled

_MISSPELT = 0.75  # as like a variable of ours as a slip of the hand leaves it; the appliance has names of its own


def from_context(context: Mapping[str, object], runtime: str = RUNTIME_NAMES[0], home: str = HOME) -> dict[str, object]:
    """The ``fl_*`` variables that a context sets.

    What is wrong stays, to be complained about; so does a name that is nearly that of a variable.
    """
    found: dict[str, object] = {}
    for name, value in of_flower(mapping(context)).items():
        row = BY_CONTEXT.get(name)
        if row:
            typed = _typed(row, value)
            if typed != _typed(row, prefilled(row)):
                found[row.ansible] = _on_the_host(row, typed, runtime, home)
        elif name == IN_CONTEXT:
            if str(value).strip().lower() not in (OWN_TASK, *NO_USE_CASE):
                found[name.lower()] = value
        elif not _is_foreign(name):
            found[name.lower()] = value
    return found


def told(context: Mapping[str, object]) -> list[Problem]:
    """What to say of variables of a context that are not about training."""
    return [
        Problem(
            INFO,
            name,
            value,
            "it is no training variable, and is left out",
            NOT_ABOUT_TRAINING.get(name, "docs/opennebula.md says what the collection has in its place."),
        )
        for name, value in sorted(of_flower(mapping(context)).items())
        if name not in BY_CONTEXT and name != IN_CONTEXT and _is_foreign(name)
    ]


def merged(
    context: Mapping[str, object], variables: Mapping[str, object], runtime: str = RUNTIME_NAMES[0], home: str = HOME
) -> dict[str, object]:
    """Both together: a variable that is set wins, whatever its value, and one that is unset gives way."""
    lower = from_context(context, runtime, home)
    return {**lower, **{name: value for name, value in variables.items() if name not in lower or not is_unset(value)}}


def _is_foreign(name: str) -> bool:
    """Whether a name is the appliance's own, and not one of ours with a mistake in it."""
    return name in NOT_ABOUT_TRAINING or nearest(name, _MISSPELT) is None


def _typed(row: Variable, value: object) -> object:
    try:
        return parse(row, value)
    except BadValue:
        return value


def _on_the_host(row: Variable, value: object, runtime: str, home: str) -> object:
    """A path of a container is the directory of the host that is mounted there, unless ServerApps run in one."""
    inside = RUNTIMES[runtime].checkpoints if runtime in RUNTIMES else ""
    paths = (row.home_folder, row.name == "initial_checkpoint")
    if not any(paths) or inside or not str(value).startswith(CONTAINER_HOME + "/"):
        return value
    return home + str(value)[len(CONTAINER_HOME) :]
