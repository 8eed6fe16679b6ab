# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules of a rate by round, with the names, parameters and formulas of PyTorch's schedulers.

A schedule is written as C(cosine T_max=50), or as C(linear_warmup total_iters=5 then cosine T_max=95). The first round
has the step 0. All is a function of the text, the rate that it begins with, the round and the losses before it.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .values import BadValue, parse
from .variable import Variable

CONSTANT, WARMUP, PLATEAU = "constant", "linear_warmup", "reduce_on_plateau"
THEN = "then"  # after a warm-up
_LONGEST = 1024  # characters


def _number(name: str, default: float | None, low: float, high: float | None = None, above: bool = False) -> Variable:
    return Variable(name, "float", default, name, "", "", minimum=low, maximum=high, exclusive_minimum=above)


def _count(name: str, default: int | None, low: int = 1) -> Variable:
    return Variable(name, "int", default, name, "", "", minimum=low, maximum=10**6)


# By kind, its parameters with PyTorch's defaults; one without a default must be given.
SCHEDULES: Mapping[str, tuple[Variable, ...]] = {
    CONSTANT: (),
    WARMUP: (_number("start_factor", 1 / 3, 0, 1, above=True), _count("total_iters", 5)),
    "exponential": (_number("gamma", None, 0, 1, above=True),),
    "step": (_count("step_size", None), _number("gamma", 0.1, 0, 1, above=True)),
    "cosine": (_count("T_max", None), _number("eta_min", 0.0, 0)),
    "cosine_warm_restarts": (_count("T_0", None), _count("T_mult", 1), _number("eta_min", 0.0, 0)),
    PLATEAU: (
        _number("factor", 0.1, 0, 1, above=True),
        _count("patience", 10, 0),
        _number("threshold", 1e-4, 0),
        _count("cooldown", 0, 0),
        _number("min_lr", 0.0, 0),
        _number("eps", 1e-8, 0),
    ),
}


@dataclass(frozen=True)
class Plateau:
    """What a reduction on a plateau carries from round to round."""

    rate: float | None = None  # None: the one that it begins with
    best: float | None = None
    bad: int = 0
    cooldown: int = 0


@dataclass(frozen=True)
class Stage:
    """One schedule with its parameters."""

    kind: str
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The stage with all of its parameters."""
        return " ".join([self.kind, *(f"{name}={value!r}" for name, value in self.given.items())])

    def rate(self, base: float, step: int, plateau: Plateau) -> float:
        """The rate of a step, of which the first is 0."""
        if self.kind == PLATEAU:
            return base if plateau.rate is None else plateau.rate
        return _FORMULAS[self.kind](base, step, self.given)

    def after(self, base: float, loss: float, plateau: Plateau) -> Plateau:
        """What is carried on when a step has come to this loss, as in C(ReduceLROnPlateau.step)."""
        given, best, bad, cooldown = self.given, plateau.best, plateau.bad, plateau.cooldown
        rate = base if plateau.rate is None else plateau.rate
        if math.isfinite(loss) and (best is None or loss < best * (1 - given["threshold"])):
            best, bad = loss, 0
        else:
            bad += 1
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > given["patience"]:
            lower = max(rate * given["factor"], given["min_lr"])
            rate = lower if rate - lower > given["eps"] else rate
            cooldown, bad = given["cooldown"], 0
        return Plateau(rate, best, bad, cooldown)


@dataclass(frozen=True)
class Schedule:
    """A schedule, after a warm-up where there is one."""

    stages: tuple[Stage, ...] = (Stage(CONSTANT),)

    @classmethod
    def of(cls, text: str) -> Schedule:
        """Read one.

        :raises BadValue: with what it must be.
        """
        words = str(text).split()
        if not words:
            return cls()
        parts: list[list[str]] = [[]]
        for word in words[:_LONGEST]:
            if word == THEN:
                parts.append([])
            else:
                parts[-1].append(word)
        stages = tuple(map(_stage, parts))
        if len(stages) > 2 or (len(stages) == 2 and (stages[0].kind != WARMUP or stages[1].kind == WARMUP)):
            raise BadValue(f"must be one schedule, or {WARMUP} {THEN} another one")
        return cls(stages)

    @property
    def text(self) -> str:
        """The schedule with all of its parameters, which means the same in every release."""
        return f" {THEN} ".join(stage.text for stage in self.stages)

    @property
    def is_constant(self) -> bool:
        """Whether it changes nothing."""
        return self.stages == (Stage(CONSTANT),)

    @property
    def looks_at_losses(self) -> bool:
        """Whether it depends on what rounds have come to."""
        return self.stages[-1].kind == PLATEAU

    def rate(self, base: float, round_number: int, plateau: Plateau = Plateau()) -> float:
        """The rate of a round, of which the first is 1."""
        stage, step = self._at(round_number)
        return stage.rate(base, step, plateau)

    def after(self, base: float, round_number: int, loss: float, plateau: Plateau) -> Plateau:
        """What is carried on when a round has come to this loss."""
        stage, dummy = self._at(round_number)
        return stage.after(base, loss, plateau) if stage.kind == PLATEAU else plateau

    def _at(self, round_number: int) -> tuple[Stage, int]:
        step, first = round_number - 1, self.stages[0]
        if len(self.stages) == 1 or step < first.given["total_iters"]:
            return first, step
        return self.stages[1], step - first.given["total_iters"]


def canonical_schedule(text: str) -> str:
    """The one way to write a schedule, so that two spellings are no two trainings."""
    return Schedule.of(text).text


def curve(text: str, base: float, rounds: int, losses: Iterable[float] = ()) -> list[float]:
    """The rate of each round; C(losses) are those of the rounds, for a schedule that looks at them."""
    schedule, plateau, found = Schedule.of(text), Plateau(), []
    known = list(losses)
    for number in range(1, rounds + 1):
        found.append(schedule.rate(base, number, plateau))
        if number <= len(known):
            plateau = schedule.after(base, number, known[number - 1], plateau)
    return found


def _stage(words: list[str]) -> Stage:
    kind = words[0] if words else ""
    if kind not in SCHEDULES:
        raise BadValue(f"must be a schedule, which begins with one of {', '.join(SCHEDULES)}")
    rows = {row.name: row for row in SCHEDULES[kind]}
    given: dict[str, Any] = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or name not in rows or name in given:
            raise BadValue(f"must be {kind} {_wanted(kind)}")
        try:
            given[name] = parse(rows[name], value)
        except BadValue as bad:
            raise BadValue(f"must be right in {name}: {bad}") from None
    if missing := [name for name, row in rows.items() if name not in given and row.default is None]:
        raise BadValue(f"must be given {missing[0]}, as in {kind} {missing[0]}=10")
    return Stage(kind, {name: given.get(name, row.default) for name, row in rows.items()})


def _wanted(kind: str) -> str:
    names = [row.name for row in SCHEDULES[kind]]
    return f"with nothing but {', '.join(names)}, each once, as in {names[0]}=1" if names else "without parameters"


def _warmup(base: float, step: int, given: Mapping[str, Any]) -> float:
    start, total = given["start_factor"], given["total_iters"]
    return base * (start + (1.0 - start) * min(step, total) / total)


def _cosine(base: float, step: int, period: int, least: float) -> float:
    return least + (base - least) * (1 + math.cos(math.pi * step / period)) / 2


def _warm_restarts(base: float, step: int, given: Mapping[str, Any]) -> float:
    period = given["T_0"]
    if given["T_mult"] == 1:
        step %= period
    while step >= period:
        step, period = step - period, period * given["T_mult"]
    return _cosine(base, step, period, given["eta_min"])


_FORMULAS: Mapping[str, Callable[[float, int, Mapping[str, Any]], float]] = {
    CONSTANT: lambda base, step, given: base,
    WARMUP: _warmup,
    "exponential": lambda base, step, given: base * given["gamma"] ** step,
    "step": lambda base, step, given: base * given["gamma"] ** (step // given["step_size"]),
    "cosine": lambda base, step, given: _cosine(base, step, given["T_max"], given["eta_min"]),
    "cosine_warm_restarts": _warm_restarts,
}
