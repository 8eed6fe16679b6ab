# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to say about variables, and what rules look at to say it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._base.notation import is_plain, show
from .sizing import Room
from .strategies import STRATEGIES, Strategy, sampled
from .table import BY_NAME
from .variable import Variable

ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True)
class Problem:
    """Something to say about one variable, with what to do about it."""

    severity: str
    variable: str
    value: object
    rule: str
    hint: str

    @property
    def message(self) -> str:
        return f"{self.variable} is {show(self.value)} but {self.rule}. {self.hint}"

    def as_dict(self) -> dict[str, object]:
        """For Ansible and JSON, which do not take every value."""
        return {
            "severity": self.severity,
            "variable": self.variable,
            "value": self.value if is_plain(self.value) else show(self.value),
            "rule": self.rule,
            "hint": self.hint,
            "message": self.message,
        }


def worst_first(problems: Iterable[Problem]) -> list[Problem]:
    return sorted(problems, key=lambda problem: (ERROR, WARNING, INFO).index(problem.severity))


@dataclass(frozen=True)
class Situation:
    """What the rules look at."""

    values: Mapping[str, Any]
    given: frozenset[str]  # names of the variables that were set
    nodes_online: int | None
    spell: Callable[[Variable], str]  # as the reader of the message writes a variable
    room: Room | None = None  # known on the SuperLink host alone
    raised: Mapping[str, object] = field(
        default_factory=dict
    )  # by name, what minimums were before the strategy's needs

    @property
    def strategy(self) -> Strategy:
        return STRATEGIES[str(self.values["strategy"])]

    @property
    def nodes(self) -> int:
        """How many there are: those online, or as many as are waited for."""
        return self.number("min_available_clients") if self.nodes_online is None else self.nodes_online

    def number(self, name: str) -> int:
        return int(self.values[name])

    def name(self, name: str) -> str:
        return self.spell(BY_NAME[name])

    def problem(self, severity: str, name: str, rule: str, hint: str) -> Problem:
        return Problem(severity, self.name(name), self.values[name], rule, hint)

    def asked_to_train(self, nodes: int) -> int:
        return sampled(nodes, float(self.values["fraction_train"]), self.number("min_fit_clients"))
