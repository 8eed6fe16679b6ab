# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where people find a training in the trackers that follow it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.layout import TRACKERS
from .._training.folder import TrainingFolder
from .installation import TrackerFiles, told_of
from .tale import Tale

_LONGEST_LINK = 500
# Of a server that others can reach, without a user in it, and nothing that a page takes for more than an address.
_LINK = re.compile(
    r"https?://(?!localhost\b|127\.)[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?(?:/[\w.~#/%+=&?-]*)?", re.ASCII
)


def links_of(home: str, folder: TrainingFolder) -> list[str]:
    """Return the links to the runs that trackers have of a training as it is now, and of no earlier one of its name."""
    tale = Tale(folder)
    try:
        event, dummy_sites = next(tale.rounds())
    except (StopIteration, OSError):
        return []
    found = []
    for name in TRACKERS:
        files = TrackerFiles(home, name)
        if folder.name not in files.trainings:
            continue
        seen = told_of(files).get(folder.name)
        row = seen if isinstance(seen, dict) else {}
        continued = tale.continues and row.get("configuration") == str(event.get("configuration_hash"))
        if row.get("key") and (row["key"] == tale.key or continued):
            found.append(row.get("link"))
    return good_links(found)


def good_links(links: t.Any) -> list[str]:
    """Return those that are links to a server, of what a host or a tracker says."""
    return [
        link
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, str) and len(link) <= _LONGEST_LINK and _LINK.fullmatch(link)
    ]
