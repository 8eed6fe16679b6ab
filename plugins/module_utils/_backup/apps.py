# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The apps of trainings in an archive: each is what root had recorded of it, or nothing is brought back.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.records import read_object
from .._flower.app_record import checked_pin
from .._flower.fab import digest_of_hashes
from .database import ArchiveError
from .kept import IN_AN_APP, PINNED_COPY

_FILE = re.compile(f"(?P<copy>{PINNED_COPY})/(?P<name>{IN_AN_APP})")


def check_apps(entries: t.Mapping[str, t.Mapping[str, t.Any]], path: str) -> None:
    """Raise ArchiveError for an app that is not the one of its record; C(entries) are those of C(unpack)."""
    found: dict[str, dict[str, str]] = {}
    for place, entry in entries.items():
        if match := _FILE.fullmatch(place):
            found.setdefault(match["copy"], {})[match["name"]] = entry["sha256"]
    for copy, hashes in found.items():
        if _recorded(copy, entries.get(f"{copy}.json")) != digest_of_hashes(hashes):
            raise ArchiveError(
                f"{path} holds another app as {copy} than was put aside there for its training. Nothing was brought"
                " back."
            )


def _recorded(copy: str, entry: t.Mapping[str, t.Any] | None) -> str | None:
    """Return the hash that the record of an app has, None where there is no such record."""
    found = read_object(entry["staged"]) if entry else None
    record = checked_pin(copy, found) if found else None
    return record["checksum"] if record else None
