# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the alerts remember: which conditions stand, and what is to be told of them.

One file has both, so that a condition and the news of it are written together or not at all.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import secrets
import socket
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone

from .._base.guarded import write_bytes
from .._base.jsonable import Bounds, harmless_value, is_number, is_whole
from .._base.pseudonyms import SiteNames
from .._base.records import read_object, write_object
from .conditions import ALERT_KINDS, OVER, STANDING, TRIED, AlertKind, Condition, over_text
from .judgement import Sight, instead

ALERT_RECORD, NEWS = "alerts.json", "news"
ALERT_FORMAT, ALERT_VERSION = "fedops.flower/alert", 1
KEPT_EVENTS = 200  # that are to be told, or were
_MODE = 0o640
_EVENT = Bounds(text=2000, items=50, depth=3, total=200)


@dataclass
class Standing:
    """A condition that stood at the last look."""

    since: float
    told: bool = False
    silent: bool = False  # it stood before anybody asked to be told
    about: dict[str, t.Any] = field(default_factory=dict)  # of which condition, to say later that it is over


@dataclass
class AlertRecord:
    """What stands and what is to be told."""

    name: str = ""  # of this record, so that no event has the number of an earlier one
    number: int = 0  # of the last event
    looked: float = 0.0
    standing: dict[str, Standing] = field(default_factory=dict)
    outbox: list[dict[str, t.Any]] = field(default_factory=list)
    seen: dict[str, t.Any] = field(default_factory=dict)  # what was read before, by what it was read of

    def learn(
        self, conditions: t.Iterable[Condition], seen: Sight, names: SiteNames | None = None, host: str = ""
    ) -> None:
        """Take what stands now, and write down what is to be told of it."""
        now = {condition.key: condition for condition in conditions}
        is_first = not self.looked
        for key, condition in now.items():
            entry = self.standing.setdefault(key, Standing(min(condition.since or seen.at, seen.at)))
            entry.about = _about(condition)
            if condition.since and not entry.told:
                entry.since = min(condition.since, seen.at)
            if is_first and condition.order:
                entry.silent = entry.told = True  # a training that has ended before is no news
            if not entry.told and seen.at - entry.since >= condition.patience:
                entry.told = True
                self._tell(condition.kind, STANDING, condition.text, condition, entry.since, seen.at, names, host)
        for key in [key for key in self.standing if key not in now]:
            entry = self.standing[key]
            was = _condition(entry.about)
            if was is not None and not seen.knows(was.kind.word, was.path):
                continue
            del self.standing[key]
            if was is not None and entry.told and not entry.silent:
                text = over_text(was.kind, was, *instead(was, seen))
                self._tell(was.kind, OVER, text, was, entry.since, seen.at, names, host)
        self.looked = seen.at

    def test(self, at: float, host: str = "") -> None:
        """Have something told, whatever stands."""
        host = host or socket.gethostname()
        condition = Condition(TRIED, facts={"host": host})
        self._tell(TRIED, STANDING, condition.text, condition, at, at, None, host)

    def _tell(
        self,
        kind: AlertKind,
        state: str,
        message: str,
        condition: Condition,
        since: float,
        at: float,
        names: SiteNames | None,
        host: str,
    ) -> None:
        hide: t.Callable[[str], str] = names.hidden if names else str
        self.name = self.name or secrets.token_hex(4)
        self.number += 1
        event = {
            "format": ALERT_FORMAT,
            "version": ALERT_VERSION,
            "id": f"{self.name}-{self.number}",
            "alert": kind.word,
            "state": state,
            "severity": kind.severity,
            "time": _moment(at),
            "since": _moment(since),
            "host": host or socket.gethostname(),
            "training": condition.training or None,
            "site": hide(condition.site) or None,
            "path": condition.path or None,
            "reason": condition.reason or None,
            "run_id": condition.run_id or None,
            "round": condition.round,
            "waiting_for": [hide(name) for name in condition.waiting_for],
            "message": hide(message),
            "action": kind.action if state == STANDING else "Nothing.",
        }
        entry = {"number": self.number, "key": condition.key, "at": at, "event": harmless_value(event, _EVENT)}
        self.outbox = [*self.outbox, entry][-KEPT_EVENTS:]


def read_alerts(folder: str, owners: t.Collection[int] | None = None) -> AlertRecord:
    """Return what is remembered; what is damaged of it counts as forgotten."""
    values = read_object(os.path.join(folder, ALERT_RECORD), owners) or {}
    standing = values.get("standing")
    outbox = values.get("outbox")
    return AlertRecord(
        name=values["name"] if isinstance(values.get("name"), str) else "",
        number=values["number"] if is_whole(values.get("number")) else 0,
        looked=values["looked"] if is_number(values.get("looked")) else 0.0,
        standing={
            str(key): Standing(entry["since"], entry.get("told") is True, entry.get("silent") is True, entry["about"])
            for key, entry in (standing if isinstance(standing, dict) else {}).items()
            if isinstance(entry, dict) and is_number(entry.get("since")) and isinstance(entry.get("about"), dict)
        },
        outbox=[entry for entry in (outbox if isinstance(outbox, list) else []) if _is_entry(entry)],
        seen=values["seen"] if isinstance(values.get("seen"), dict) else {},
    )


def write_alerts(folder: str, record: AlertRecord) -> None:
    """Write it down, and then that there is news where there is; who waits for that reads the record."""
    write_object(os.path.join(folder, ALERT_RECORD), asdict(record), _MODE)
    path, now = os.path.join(folder, NEWS), f"{record.name}-{record.number}\n"
    try:
        with open(path, encoding="ascii") as stream:
            before = stream.read(len(now) + 1)
    except (OSError, ValueError):
        before = ""
    if record.number and before != now:
        write_bytes(path, now.encode("ascii"), _MODE)


def _about(condition: Condition) -> dict[str, t.Any]:
    about = {
        name: getattr(condition, name)
        for name in ("training", "site", "path", "order", "reason", "run_id", "round", "facts")
    }
    return {"kind": condition.kind.word, **about}


def _condition(about: t.Mapping[str, t.Any]) -> Condition | None:
    """Return the condition that is remembered; None where a release does not know it any more."""
    kind = ALERT_KINDS.get(str(about.get("kind")))
    if kind is None:
        return None
    words: dict[str, t.Any] = {
        name: str(about.get(name) or "") for name in ("training", "site", "path", "order", "reason", "run_id")
    }
    number, facts = about.get("round"), about.get("facts")
    return Condition(
        kind,
        **words,
        round=number if is_whole(number) else None,
        facts=facts if isinstance(facts, dict) else {},
    )


def _is_entry(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and is_whole(entry.get("number"))
        and is_number(entry.get("at"))
        and isinstance(entry.get("key"), str)
        and isinstance(entry.get("event"), dict)
    )


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
