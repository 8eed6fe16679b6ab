# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row of the table of training variables, and its spellings.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .._base.home import HOME, below

LARGEST_INTEGER = 2**31 - 1
EXTRA = "extra."  # before the keys of the app alone, which then are no rows of the table


@dataclass(frozen=True)
class Variable:
    """One row of the table."""

    name: str
    type: str  # str, int, float or bool
    default: object
    title: str
    help: str
    group: str
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    choices: tuple[str, ...] = ()
    pattern: str = ""
    pattern_rule: str = ""
    strategies: tuple[str, ...] = ()  # the strategies that read it; empty: all of them
    strategy_defaults: Mapping[str, object] = field(default_factory=dict)
    runtime_defaults: Mapping[str, object] = field(default_factory=dict)
    home_folder: str = ""  # the folder of the home that is the default, where the runtime has none of its own
    outside_identity: str = ""  # why changing it leaves the model's bytes alone; empty: it changes them
    own_default: str = ""  # why the default is not Flower's
    flower_key: str = ""  # its key in Flower's run configuration, where that is not its name
    largest: int = LARGEST_INTEGER  # of whole numbers, where no maximum says it
    canonical: Callable[[str], str] | None = None  # the one way to write a text that is legal; raises BadValue
    switch: str = ""  # the variable that is off at its default: then it has no effect, and is not judged

    @property
    def ansible(self) -> str:
        return "fl_" + self.name

    @property
    def context(self) -> str:
        return "FL_" + self.name.upper()

    @property
    def key(self) -> str:
        return self.flower_key or self.first_key

    @property
    def first_key(self) -> str:
        """The key that it had in the first release."""
        return self.name.replace("_", "-")

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that it has or had, the present one first."""
        return tuple(dict.fromkeys((self.key, self.first_key)))

    @property
    def identity(self) -> bool:
        """Whether it decides the model's bytes."""
        return not self.outside_identity

    @property
    def depends(self) -> bool:
        """Whether unset means something else for each strategy, runtime or home, so that defaults must stay unset."""
        return bool(self.strategies or self.strategy_defaults or self.runtime_defaults or self.home_folder)

    def applies_to(self, strategy: str) -> bool:
        return not self.strategies or strategy in self.strategies

    def default_for(self, strategy: str = "", runtime: str = "", home: str = HOME) -> object:
        default = below(home, self.home_folder) if self.home_folder else self.default
        return self.strategy_defaults.get(strategy, self.runtime_defaults.get(runtime, default))

    @property
    def bounds(self) -> str:
        """The legal range in words; empty when there is none."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if (
            self.minimum is not None
            and self.maximum is not None
            and not self.exclusive_minimum | self.exclusive_maximum
        ):
            return f"from {self.minimum} to {self.maximum}"
        low = "" if self.minimum is None else ("above " if self.exclusive_minimum else "at least ") + str(self.minimum)
        high = "" if self.maximum is None else ("below " if self.exclusive_maximum else "at most ") + str(self.maximum)
        return " and ".join(part for part in (low, high) if part)
