# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who takes part in which round: a run that goes on computes the same only with the same sites.

A file beside the history says who was online in each round that may have to be trained again, and whose reply counted.
The next run waits for those, goes on with the rest, and says in what a round deviates from the one that was lost. So
does a run that lives on while the SuperLink alone is started anew.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .flaws import MOST_EXAMPLES
from .grid import SteadyGrid
from .knowledge._base.jsonable import is_number
from .publish import ROSTER, WAITING, Publisher, logger
from .rolls import DEVIATION, EXACT, SITES_SHOWN, Deviation, Roll, listed, read_rolls, said
from .sites import Sites

_MOST_ROUNDS = 1000  # that are remembered; with checkpoints it is those since the last one
_TRAINED, _EVALUATED = "claims", "evaluated"  # in the file: how many examples each site has claimed last
NOT_KNOWN = "who took part before is not known on this host"


@dataclass
class Attendance:
    """What is known of the rounds of the lost runs, and is remembered of this one's."""

    publisher: Publisher
    patience: float  # seconds without another one of the missing sites
    rounds_done: int = 0
    goes_on: bool = False  # something was trained before
    before: Mapping[int, Roll] = field(default_factory=dict)  # of lost runs, by round
    first: dict[str, Any] = field(default_factory=dict)  # the first deviation; empty: there is none
    outages: int = 0  # of the SuperLink, when the newest round began
    claims: dict[str, float] = field(default_factory=dict)  # examples that each site has claimed last, of a training
    evaluated: dict[str, float] = field(default_factory=dict)  # the same of an evaluation
    _now: dict[int, Roll] = field(default_factory=dict)
    _astray: int | None = None  # the first round of this run that deviates, until a checkpoint holds it
    _again: dict[int, Roll] = field(default_factory=dict)  # by round, who is to be there since the SuperLink was away
    _given_up: set[str] = field(default_factory=set)
    _sites: Sites = field(default_factory=lambda: Sites(None))

    @classmethod
    def of(cls, publisher: Publisher, patience: float, manifest: Mapping[str, Any] | None, anew: bool) -> Attendance:
        """Return what is known at the beginning of a run.

        ``manifest`` is that of the checkpoint that it goes on from. ``anew``: what was trained before is not repeated.
        """
        done = int(manifest["round"]) if manifest else 0
        if anew:
            publisher.forget(ROSTER)
        roster = publisher.roster()
        rounds = roster.get("rounds")
        before = read_rolls(rounds if isinstance(rounds, list) else [], done)
        found = cls(publisher, patience, done, bool(done or before), before, said(manifest or {}))
        found.claims, found.evaluated = (_read_claims(roster.get(name)) for name in (_TRAINED, _EVALUATED))
        return found

    @property
    def told(self) -> dict[str, Any]:
        """What history and result say of the whole training so far."""
        if not self.first:
            return {EXACT: True}
        return {EXACT: self.first[EXACT], DEVIATION: {"round": self.first["round"], "why": self.first["why"]}}

    @property
    def manifest(self) -> dict[str, Any]:
        """What a manifest says: nothing of a training that is exact."""
        return {DEVIATION: self.first} if self.first else {}

    def rejoin(self, number: int, grid: SteadyGrid) -> None:
        """Wait for the sites that took part in the round that is repeated, then go on with the rest.

        Where the SuperLink was away since the last round of this run, for those of that.
        """
        self._sites = grid.sites
        if grid.outages > self.outages and (last := self._now.get(number - 1)):
            self._again[number] = last
        self._wait(number, grid)

    def rejoin_under_way(self, number: int, grid: SteadyGrid) -> None:
        """Wait for the sites of a round that is under way, some of whose replies were lost with the SuperLink."""
        if number in self._now:
            self._again.setdefault(number, self._now[number])
            self._wait(number, grid)

    def _wait(self, number: int, grid: SteadyGrid) -> None:
        absent, end = self._absent(number, grid), 0.0
        if not absent:
            return
        try:
            fewer: Collection[str] = ()
            while absent:
                if absent != fewer:
                    fewer, end = absent, time.monotonic() + self.patience
                    self._tell_waiting(number, sorted(absent))
                if time.monotonic() >= end:
                    break
                grid.pause()
                absent = self._absent(number, grid)
        finally:
            self.publisher.forget(WAITING)
        if absent:
            self._given_up.update(absent)
            logger.warning("Round %d goes on without %s.", number, self._sites.real(listed(sorted(absent))))
        else:
            logger.info("Round %d goes on with all sites that took part before.", number)

    def begins(self, number: int, online: Iterable[int], grid: SteadyGrid) -> None:
        """Remember who is online in a round that begins."""
        self.outages = grid.outages
        roll = self._now[number] = Roll(number, self._roll(online, grid))
        reference = self._reference(number)
        if reference and set(reference.names.values()) != set(roll.names.values()):
            self._goes_astray(number)
        self._given_up.difference_update(roll.names.values())
        self._write()

    def ends(self, number: int, asked: Iterable[int], counted: Iterable[int]) -> Deviation:
        """Remember whose reply counted, and return in what the round deviates."""
        begun = self._now.get(number)
        if begun is None:
            return Deviation()  # nobody was asked
        names, valid = begun.names, set(counted)
        self._now[number] = Roll(number, begun.online, tuple(name for node, name in begun.online if node in valid))
        failed = {names[node] for node in set(asked) - valid if node in names}
        deviation = self._deviation(self._now[number], failed)
        self._write()
        return deviation

    def note(self, number: int, deviation: Deviation) -> None:
        """Remember the first round that deviates."""
        if self.first:
            return
        if deviation:
            why = self._sites.real(deviation.why)
            logger.warning("Round %d is not that of an undisturbed training: %s.", number, why)
            self.first = {EXACT: False, "round": number, "why": deviation.why}
            self._goes_astray(number)
        elif number == self.rounds_done + 1 and self.goes_on and self._reference(number) is None:
            self.first = {EXACT: None, "round": number, "why": NOT_KNOWN}

    def saved(self, number: int) -> None:
        """Forget what no run will repeat; the round itself stays, as the one that the next goes on from."""
        if self._astray is not None and number >= self._astray:
            self._astray = None
        first = number + (number in self._now)  # of the round itself, what this run has seen
        self.before = {key: roll for key, roll in self.before.items() if key >= first}
        self._now = {key: roll for key, roll in self._now.items() if key >= number}
        self._again = {key: roll for key, roll in self._again.items() if key > number}

    def _goes_astray(self, number: int) -> None:
        if self._astray is None:
            self._astray = number

    def _reference(self, number: int) -> Roll | None:
        """Return the roll that a round is held against: its own before it was lost, or the one that was done last."""
        if number in self.before:
            return self.before[number]
        if number in self._again:
            return self._again[number]
        if number != self.rounds_done + 1:
            return None
        return self.before.get(self.rounds_done)

    def _absent(self, number: int, grid: SteadyGrid) -> set[str]:
        reference = self._reference(number)
        if reference is None:
            return set()
        online = {node.node_id for node in grid.get_nodes()}
        names = {name for dummy, name in self._roll(online, grid)}
        return {name for node, name in reference.online if node not in online and name not in names} - self._given_up

    def _deviation(self, roll: Roll, failed: set[str]) -> Deviation:
        reference = self._reference(roll.number)
        if reference is None:
            return Deviation()
        before, names = reference.names, roll.names
        renamed = {before[node]: names[node] for node in before.keys() & names.keys() if before[node] != names[node]}
        if reference.number == roll.number and reference.counted is not None:
            then, now = set(reference.counted), set(roll.counted or ())
        else:
            # Nobody knows how that round would have ended: a failure is one where the site did not fail before, either.
            last = self.before.get(roll.number - 1) or self._now.get(roll.number - 1)
            then = set(before.values())
            now = set(names.values()) - (failed & set((last.counted if last else None) or ()))
        kept = [renamed.get(name, name) for name in before.values()]
        both = [name for name in kept if name in set(names.values())]
        found = Deviation(
            missing=tuple(sorted(then - now - renamed.keys())),
            new=tuple(sorted(now - then - set(renamed.values()))),
            renamed=tuple(sorted((was, name) for was, name in renamed.items() if was in then or name in now)),
        )
        in_order = [name for name in names.values() if name in set(both)]
        return found if found or both == in_order else Deviation(reordered=True)

    def _roll(self, online: Iterable[int], grid: SteadyGrid) -> tuple[tuple[int, str], ...]:
        sites = sorted(grid.sites.identify((node, "") for node in online).values())
        return tuple((site.node, grid.sites.pseudonym(site.name)) for site in sites)

    def _tell_waiting(self, number: int, names: Sequence[str]) -> None:
        logger.info(
            "Round %d waits for %s, which took part before %s: for %g seconds (fl_rejoin_timeout).",
            number,
            self._sites.real(listed(names)),
            "the SuperLink was away" if number in self._again else "the run was lost",
            self.patience,
        )
        self.publisher.waits(number, names[:SITES_SHOWN], self.patience)

    def _write(self) -> None:
        """Keep the rolls of lost runs, and add those of this run as far as it is what an undisturbed one would be.

        What deviates is no measure for the next run, as long as no checkpoint holds it.
        """
        own = {key: roll for key, roll in self._now.items() if self._astray is None or key < self._astray}
        rolls = {**own, **self.before}
        kept = [rolls[number] for number in sorted(rolls)[-_MOST_ROUNDS:]]
        entries: list[dict[str, Any]] = []
        last: Roll | None = None
        for roll in kept:
            everybody = roll.counted == tuple(roll.names.values())
            entries.append(
                {
                    "round": roll.number,
                    **({} if last and last.online == roll.online else {"online": roll.online}),
                    "counted": True if everybody else roll.counted,
                }
            )
            last = roll
        self.publisher.keep_roster(entries, {_TRAINED: self.claims, _EVALUATED: self.evaluated})


def _read_claims(found: object) -> dict[str, float]:
    claims = found if isinstance(found, Mapping) else {}
    return {site: float(claim) for site, claim in claims.items() if is_number(claim) and 0 < claim <= MOST_EXAMPLES}
