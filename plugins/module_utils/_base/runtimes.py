# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By what means a host comes by Flower, and how its units start a program of it.

What stands beside Flower (the supervisor, the command line, an export) is started with C(venv/bin/python) of the home
whatever the runtime.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import FedopsError


class RuntimeKindError(FedopsError):
    """A runtime is not known, or nothing of ours deploys it."""


@dataclass(frozen=True)
class Runtime:
    """One of the means. The role C(runtime) has a file of tasks of its name, where there is a command."""

    command: str = ""  # what starts a program in a unit, with {home} and {program}; empty: others deploy it
    checkpoints: str = ""  # where ServerApps see the checkpoints; empty: where they lie on the host


# The first is the default.
RUNTIMES: t.Mapping[str, Runtime] = {
    "venv": Runtime("{home}/venv/bin/{program}"),
    "container": Runtime(checkpoints="/app/checkpoints"),
}
DEPLOYED = tuple(name for name, row in RUNTIMES.items() if row.command)


def command(home: str, program: str, runtime: str) -> str:
    """Return what starts a program of Flower, or Python with Flower's libraries."""
    if runtime not in DEPLOYED:
        raise RuntimeKindError(f"runtime_kind is {runtime!r} but must be one of {', '.join(DEPLOYED)}.")
    return RUNTIMES[runtime].command.format(home=home, program=program)
