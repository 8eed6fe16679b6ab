# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backup keeps of a SuperLink host, and where a restore may write: this list, and nothing else.

Owners and modes are those of the list, whatever an archive says. What older releases kept has another name here.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .._base.layout import (
    APPS,
    CONTROL,
    DATABASE,
    FOLDERS,
    MIRROR_SECRET,
    PSEUDONYM_SECRET,
    SERVER_KEY,
    SUPEREXEC_SECRET,
    SUPERLINK_ACCOUNT,
    Account,
)
from .._base.notation import NAME_OF_TRAINING
from .._flower.app import MOST_BYTES
from .._flower.app_record import PINNED_APPS

RECORD, HISTORY = 16 << 20, 64 << 20  # bytes; far more than any of ours
MOST_FILES = 200_000  # of an archive, and of a folder
MOST_TRAININGS, MOST_PREVIOUS = 10000, 100
# Made on a host before anything is brought back. They make way, on a host without a state of its own.
BORN = (SUPEREXEC_SECRET, MIRROR_SECRET, PSEUDONYM_SECRET)
# Without these there is no SuperLink to bring back.
REQUIRED = (DATABASE, SUPEREXEC_SECRET, SERVER_KEY)

FLAT = r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}"
_CLAIMS = (
    "effective.json",
    "failure.json",
    "history.jsonl",
    "initial.json",
    "privacy.jsonl",
    "result.json",
    "roster.json",
)
_MOMENT = r"[0-9]{8}T[0-9]{6}(?:\.[0-9]{1,6})?Z"  # of what another configuration of a training has told before
_ORDERS = ("ledger.json", "request.json", "stopped", "stopping", "supervision.json")
# The app of a training, by the hash of its FAB, and a file in it: of any name that is deployed.
PINNED_COPY = rf"{PINNED_APPS}/{NAME_OF_TRAINING}/[0-9a-f]{{64}}"
IN_AN_APP = r"(?!(?:.*/)?\.{1,2}(?:/|$))[^/\\\x00-\x1f\x7f]{1,200}(?:/[^/\\\x00-\x1f\x7f]{1,200}){0,249}"


@dataclass(frozen=True)
class Rule:
    """Files of one kind: how they are called, whose they are, and how large they may be. A limit of None is none."""

    pattern: str
    owner: Account | None
    mode: int
    limit: int | None = RECORD
    place: str = r"\g<0>"  # where they go

    @property
    def group(self) -> Account | None:
        return self.owner


def _any(names: t.Iterable[str]) -> str:
    return "(?:" + "|".join(map(re.escape, names)) + ")"


_CLAIM = f"{NAME_OF_TRAINING}/(?:previous/{_MOMENT}/)?{_any(_CLAIMS)}"
RULES: tuple[Rule, ...] = (
    Rule(rf"certificates/{FLAT}\.(?:key|secret)", None, 0o600),
    Rule(rf"certificates/{FLAT}", None, 0o644),
    Rule("records/supernodes\\.json", None, 0o644),
    Rule(re.escape(DATABASE), SUPERLINK_ACCOUNT, 0o600, None),
    Rule("trainings/quiesced\\.json", CONTROL, 0o644),
    Rule(rf"trainings/{NAME_OF_TRAINING}/{_any(_ORDERS)}", CONTROL, 0o640),
    Rule(rf"{PINNED_COPY}\.json", None, 0o644),
    Rule(rf"{PINNED_COPY}/{IN_AN_APP}", None, 0o644, MOST_BYTES),
    Rule(f"published/{_CLAIM}", APPS, 0o640, HISTORY),
    # As releases kept it that had one account for all.
    Rule(r"state/superexec\.secret", None, 0o600, place=SUPEREXEC_SECRET),
    Rule(r"state/supernodes\.json", None, 0o644, place="records/supernodes.json"),
    Rule(f"trainings/({_CLAIM})", APPS, 0o640, HISTORY, r"published/\1"),
)
# Locks and temporary files, which older releases kept too. They are of no use on another host.
_LEFT_OUT = re.compile(rf"trainings/(?:{NAME_OF_TRAINING}/)?(?:previous/{_MOMENT}/)?\.[^/]*")


def rule_of(name: str) -> Rule | None:
    """Return the rule for a name in an archive; None for a name that is not on the list."""
    return next((rule for rule in RULES if re.fullmatch(rule.pattern, name)), None)


def place_of(name: str) -> str | None:
    """Return where a file goes on a host."""
    rule = rule_of(name)
    return re.sub(rule.pattern, rule.place, name) if rule else None


def is_left_out(name: str) -> bool:
    """Tell whether a file is not brought back, without being an error."""
    return _LEFT_OUT.fullmatch(name) is not None


def folder_of(path: str) -> tuple[Account | None, Account | None, int]:
    """Return owner, group and mode of a folder on the list: its own, or that of the one above it."""
    known = {folder.path: folder for folder in FOLDERS}
    while path not in known:
        path = path.rpartition("/")[0]
    found = known[path]
    return found.owner, found.group, found.mode


def wanted(list_names: t.Callable[[str], t.Iterable[str]]) -> list[str]:
    """Return the files that a backup looks for, as they are called on a host of this release or an older one.

    C(list_names) tells what is in a folder. An account that fills its folder with names is asked for none of them:
    a training is one of which the supervisors know.
    """
    names = [f"certificates/{name}" for name in list_names("certificates")]
    names += ["records/supernodes.json", SUPEREXEC_SECRET, "state/superexec.secret", "state/supernodes.json"]
    trainings = [name for name in sorted(list_names("trainings")) if re.fullmatch(NAME_OF_TRAINING, name)]
    names.append("trainings/quiesced.json")
    for training in trainings[:MOST_TRAININGS]:
        names += [f"trainings/{training}/{name}" for name in _ORDERS]
        for place in ("published", "trainings"):
            names += [f"{place}/{training}/{name}" for name in _CLAIMS]
            before = f"{place}/{training}/previous"
            moments = sorted(name for name in list_names(before) if re.fullmatch(_MOMENT, name))[-MOST_PREVIOUS:]
            names += [f"{before}/{moment}/{name}" for moment in moments for name in _CLAIMS]
    return sorted({name for name in names if rule_of(name)})
