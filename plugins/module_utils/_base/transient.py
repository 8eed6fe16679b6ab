# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running what nobody has vouched for once, in a unit that systemd makes for it and forgets afterwards.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .hardening import Directives, assignments
from .jsonable import harmless

_SAID = 15  # lines

# It reaches nobody, and the host's own work comes first.
APART: Directives = {
    "LimitCORE": "0",
    "OOMScoreAdjust": "1000",
    "Nice": "5",
    "WorkingDirectory": "/",
    "PrivateNetwork": "yes",
}
_ENVIRONMENT: t.Mapping[str, str] = {"HOME": "/tmp", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


def in_transient_unit(
    what: str, command: t.Iterable[str], properties: Directives, environment: t.Mapping[str, str]
) -> list[str]:
    """Return what runs a command in such a unit, with its input and output; C(what) describes it in the journal."""
    return [
        "systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec",
        f"--description={what}",
        *(f"--property={one}" for one in assignments(properties)),
        *(f"--setenv={name}={value}" for name, value in {**_ENVIRONMENT, **environment}.items()),
        *command,
    ]  # fmt: skip


def last_words(said: str) -> str:
    """Return the last lines of what a command has said that failed; nothing where it said none."""
    lines = [line for line in map(str.strip, harmless(said, 4000, multiline=True).splitlines()) if line]
    return "\n".join(lines[-_SAID:])
