# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive is: the list of what is in it, and the rules for the two kinds that there are.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._base.jsonable import is_whole
from .database import ArchiveError
from .kept import FLAT, RULES, Rule, place_of, rule_of

CONTENTS = "contents.json"  # the name of the list that is in an archive
ARCHIVED_SUPERLINK, ARCHIVED_FILES = "superlink", "files"  # what an archive holds
HOLDS = (ARCHIVED_SUPERLINK, ARCHIVED_FILES)
_SHOWN = 10  # problems that are named
_FLAT = Rule(FLAT, None, 0o644)


def find_rule(name: str, holds: str) -> Rule | None:
    """Return the rule for a name in an archive of this kind; None for a name that may not be in it."""
    if holds == ARCHIVED_SUPERLINK:
        return rule_of(name)
    return _FLAT if re.fullmatch(_FLAT.pattern, name) else None


def rule_for(name: str, holds: str) -> Rule:
    """Return the rule for a name that may be in an archive of this kind, or the first rule for any other."""
    return find_rule(name, holds) or RULES[0]


def place_for(name: str, holds: str) -> str | None:
    """Return where a file of an archive of this kind goes; None for one that goes nowhere."""
    if holds == ARCHIVED_SUPERLINK:
        return place_of(name)
    return name if name != CONTENTS else None


def read_contents(text: bytes, path: str) -> dict[str, t.Any]:
    """Return the list that is in an archive, in which every entry is as it must be."""
    try:
        contents = json.loads(text.decode("utf-8"))
        files = contents["files"]
        sound = all(
            re.fullmatch("[0-9a-f]{64}", entry["sha256"]) and _is_mode(entry["mode"]) for entry in files.values()
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        sound, files = False, {}
    if not sound:
        raise ArchiveError(f"{path} is damaged: its list of contents cannot be read.")
    return {"files": files}


def _is_mode(value: t.Any) -> bool:
    return is_whole(value) and value >= 0


def expect_all(required: t.Iterable[str], there: t.Container[str | None], place: str) -> None:
    """Raise ArchiveError unless all that is required is there."""
    if lacking := [name for name in required if name not in there]:
        raise ArchiveError(f"{place} lacks {', '.join(lacking)}.")


def listed(names: t.Sequence[str], between: str = ", ") -> str:
    """Name the first of them, and how many more there are."""
    more = len(names) - _SHOWN
    return between.join(names[:_SHOWN]) + (f"{between}and {more} more" if more > 0 else "")
