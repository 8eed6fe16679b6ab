# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tracker is told of a training: settings, figures of its rounds, and what has become of it.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime

from .._base.jsonable import harmless
from .._config.privacy import EPSILON, PRIVACY, epsilon_of, spent_text
from .._config.stopping import stopping_text
from .._report.rounds import LONGEST_SITE, MOST_SITES_TOLD, SITE_FIGURES, number

NO_SITES = "none"  # beside how else sites are told
MOST_FIGURES = 100  # figures of a round, of its phases, of one site
MOST_NAMES = 500  # of figures of one site, and of all others, in a whole training
MOST_SETTINGS = 300
LONGEST_SETTING = 500  # characters; what trackers take without cutting it off
LONGEST_FIGURE = 200
_OF_THE_ROUND = (
    "loss",
    "accuracy",
    "num_examples",
    "replies",
    "failures",
    "attempts",
    "update_norm",
    "seconds",
)
_TABLES = ("metrics", "phases", "steering", "across_sites")
_ODD = re.compile(r"[^A-Za-z0-9_.\- ]|^\.+$|^$")  # in a part of a name, which each tracker takes without these
_KNOWN = ("flwr_version", "app", "kit_version", "configuration_hash", "code")

Word = t.Callable[[str], str]


@dataclass(frozen=True)
class TrackedTraining:
    """A training, which is one run of a tracker, whatever runs of Flower it takes."""

    name: str
    key: str  # the same for as long as it is the same training, and of no other
    began: str = ""
    place: str = ""  # the experiment or project that it belongs to
    settings: t.Mapping[str, str] = field(default_factory=dict)
    about: t.Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Return what people see."""
        return f"{self.name}-{self.key[:8]}"


@dataclass(frozen=True)
class TrackedRound:
    """A finished round."""

    number: int
    time: float  # seconds since 1970
    figures: t.Mapping[str, float]


@dataclass(frozen=True)
class Closing:
    """How a training has ended."""

    state: str
    facts: t.Mapping[str, str] = field(default_factory=dict)


def tracked_round(event: t.Mapping[str, t.Any], sites: t.Any, word: Word | None) -> TrackedRound:
    """Return a round as trackers take it; C(word) is what sites are called, and without it nothing is told of them."""
    found = {**{key: event.get(key) for key in _OF_THE_ROUND}, EPSILON: epsilon_of(event)}
    for kind in _TABLES if word else _TABLES[:-1]:
        found.update(_flat(kind, event.get(kind)))
    if word and isinstance(sites, list):
        for entry in sites[:MOST_SITES_TOLD]:
            if isinstance(entry, dict) and isinstance(entry.get("site"), str):
                name = _part(word(harmless(entry["site"], LONGEST_SITE)))
                found.update(_flat(f"site/{name}", _of_site(entry)))
    figures = {
        key[:LONGEST_FIGURE]: value
        for key, value in ((key, number(value)) for key, value in found.items())
        if value is not None
    }
    return TrackedRound(event["round"], seconds_of(event.get("time")), figures)


class Names:
    """The names of a training's figures. A tracker keeps each for ever, so that a site may make up only so many."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}

    def among(self, one: TrackedRound) -> TrackedRound:
        """Return a round without the figures that have a new name too many; rounds are given in their order."""
        return replace(one, figures={key: value for key, value in one.figures.items() if self._takes(key)})

    def _takes(self, key: str) -> bool:
        kind, slash, rest = key.partition("/")
        if not slash:
            return True  # ours
        known = self._known.setdefault(rest.partition("/")[0] if kind == "site" else "", set())
        if len(known) < MOST_NAMES:
            known.add(key)
        return key in known


def _of_site(entry: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    own = {key: entry[key] for key in SITE_FIGURES if key in entry}
    evaluation = entry.get("evaluation")
    return {**own, "evaluation": evaluation if isinstance(evaluation, dict) else {}}


def _flat(prefix: str, value: t.Any, depth: int = 3) -> dict[str, t.Any]:
    """Return the numbers of a table under one name each."""
    found: dict[str, t.Any] = {}
    for key, item in list(value.items())[:MOST_FIGURES] if isinstance(value, dict) else []:
        name = f"{prefix}/{_part(str(key))}"
        found.update(_flat(name, item, depth - 1) if isinstance(item, dict) and depth else {name: item})
    return dict(list(found.items())[:MOST_FIGURES])


def settings_of(effective: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    """Return what a ServerApp says it was asked for."""
    known = effective or {}
    strategy = known.get("strategy")
    parameters = strategy.get("parameters") if isinstance(strategy, dict) else None
    found = {**_texts("", known.get("run_config")), **_texts("strategy.", parameters)}
    return dict(list(found.items())[:MOST_SETTINGS])


def about(effective: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    """Return what else is known of a training."""
    known = effective or {}
    return {key: harmless(str(known[key]), LONGEST_SETTING) for key in _KNOWN if known.get(key)}


def facts_of(result: t.Mapping[str, t.Any] | None, last: t.Mapping[str, t.Any] | None) -> dict[str, str]:
    """Return what a training has come to."""
    known = result or {}
    found = {
        key: known[key] for key in ("rounds", "loss", "accuracy", "checkpoint", "sha256") if known.get(key) is not None
    }
    if last and (stopped := stopping_text(last)):
        found["stopped_early"] = stopped
    if last and (spent := spent_text(last)):
        found[PRIVACY] = spent
    if known.get("exact") is not None:
        found["exact"] = "yes" if known["exact"] else "no"
    return {key: harmless(str(value), LONGEST_SETTING) for key, value in found.items()}


def seconds_of(moment: t.Any) -> float:
    """Return a time in ISO form as seconds since 1970; 0 for one that is none."""
    try:
        # Python before 3.11 does not take the letter for UTC.
        return datetime.fromisoformat(str(moment).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _part(name: str) -> str:
    """Return a part of a name. A slash in it would make a folder where another name has a file."""
    return _ODD.sub("_", name.replace("/", "."))[:LONGEST_FIGURE]


def _texts(prefix: str, table: t.Any) -> dict[str, str]:
    return {
        _part(f"{prefix}{key}"): harmless(str(value), LONGEST_SETTING)
        for key, value in (table.items() if isinstance(table, dict) else [])
    }
