# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a lock with hashes, as C(uv pip compile --generate-hashes) writes it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

_PINNED = re.compile(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([^\s;,*]+)\s*(?:;.*)?")
_HASHES = re.compile(r"\s--hash=sha256:[0-9a-f]{64}\b")


def requirements(text: str) -> t.Iterator[str]:
    """Return what a lock asks for, each in one line with its hashes."""
    joined = text.replace("\r\n", "\n").replace("\\\n", " ")
    for line in joined.splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line:
            yield line


def pins(text: str) -> dict[str, str]:
    """Return the versions that a lock fixes, by the names of packages in lower case."""
    matches = (_PINNED.fullmatch(_HASHES.sub("", line).strip()) for line in requirements(text))
    return {match[1].lower().replace("_", "-"): match[2] for match in matches if match}


def problems(text: str) -> list[str]:
    """Return why a lock cannot be deployed, all of it; what the lock is called goes before each."""
    found = []
    for line in requirements(text):
        bare = _HASHES.sub("", line).strip()
        if bare.startswith("-"):
            found.append(f"has the option '{bare}' but must list packages and hashes alone.")
        elif not _PINNED.fullmatch(bare):
            found.append(f"asks for '{bare}' but must pin every package to one version with ==.")
        elif not _HASHES.search(line):
            found.append(f"has no hash of '{bare}'. Compile it with --generate-hashes.")
    return found
