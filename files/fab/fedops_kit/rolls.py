# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who was there in a round, in what that differs from another round, and both as files tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .knowledge._base.jsonable import harmless, is_whole
from .publish import logger

EXACT, DEVIATION = "exact", "deviation"  # in history, result and manifest
_SHOWN = 1000  # characters of a deviation, of a manifest that may come from a bucket that others write
SITES_SHOWN = 20


@dataclass(frozen=True)
class Roll:
    """Who was there in a round."""

    number: int
    online: tuple[tuple[int, str], ...]  # node and what it is called, in the order in which replies are added up
    counted: tuple[str, ...] | None = None  # whose reply counted; None: the round was not finished

    @property
    def names(self) -> dict[int, str]:
        """What each node is called."""
        return dict(self.online)


@dataclass(frozen=True)
class Deviation:
    """In what a round differs from the one that it repeats, or goes on from."""

    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()  # before and now
    reordered: bool = False

    def __bool__(self) -> bool:
        """Tell whether it differs at all."""
        return bool(self.missing or self.new or self.renamed or self.reordered)

    @property
    def why(self) -> str:
        """Say it."""
        parts = [
            f"without {listed(self.missing)}, which took part before" if self.missing else "",
            f"with {listed(self.new)}, which did not take part before" if self.new else "",
            f"with {listed([f'{now} that was called {then}' for then, now in self.renamed])}" if self.renamed else "",
            "in another order, which the names of their sites decide" if self.reordered else "",
        ]
        return "it was trained " + " and ".join(filter(None, parts))


def read_rolls(entries: Sequence[Any], done: int) -> dict[int, Roll]:
    """Return the rolls that a file tells of, from the round on that is done; a roll that is damaged ends them."""
    rolls: dict[int, Roll] = {}
    online: tuple[tuple[int, str], ...] = ()
    try:
        for entry in entries:
            if "online" in entry:
                online = tuple((int(node), str(name)) for node, name in entry["online"])
            counted = entry["counted"]
            names = tuple(name for dummy, name in online)
            counts = names if counted is True else None if counted is None else tuple(map(str, counted))
            rolls[int(entry["round"])] = Roll(int(entry["round"]), online, counts)
    except (KeyError, TypeError, ValueError, OverflowError):
        logger.warning("What is remembered of who took part in earlier rounds is damaged.")
    return {number: roll for number, roll in rolls.items() if number >= done}


def said(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the first deviation that a manifest tells of; nothing where the training was exact so far."""
    found = manifest.get(DEVIATION)
    if not isinstance(found, Mapping) or not is_whole(found.get("round")):
        return {}
    exact = None if found.get(EXACT) is None else False
    return {EXACT: exact, "round": found["round"], "why": harmless(str(found.get("why")), _SHOWN)}


def listed(names: Sequence[str]) -> str:
    """Return names as words, the first twenty of them."""
    more = len(names) - SITES_SHOWN
    shown = [*names[:SITES_SHOWN], *([f"{more} more"] if more > 0 else [])]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
