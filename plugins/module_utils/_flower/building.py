# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building the FAB of an app that nobody has vouched for: as a user that systemd makes for it and forgets afterwards.

Flower only reads the app, and what it makes of it comes back through a pipe. A file of the app may still be made to
trip what reads it; then a user has been tripped that can write nothing, reach nobody, and soon ends.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import subprocess
import typing as t

from .._base.bounded import Head, run
from .._base.errors import FedopsError
from .._base.hardening import NO_USER_CODE, Directives
from .._base.jsonable import loads
from .._base.transient import APART, in_transient_unit, last_words
from .assumptions import FAB_LIMIT, QUIET
from .fab import About, FabError

SECONDS = 60  # a build takes about two
SOURCE = "/run/fedops-app"  # where the user finds the app
_HEADER = 4096  # bytes of what the app is called
_NO_PLACE = "systemd-run is not on this host, and an app is not built without the bounds that it sets."

_PROPERTIES: Directives = {
    # But for its mounts, which a dynamic user has to itself anyway, and the journal, which a pipe does not reach.
    **{name: value for name, value in NO_USER_CODE.items() if name not in ("PrivateMounts", "SyslogLevelPrefix")},
    **APART,
    "DynamicUser": "yes",
    "RuntimeMaxSec": str(SECONDS),
    "LimitCPU": str(SECONDS),
    "LimitFSIZE": str(64 << 20),
    "MemoryMax": "1G",
    "MemorySwapMax": "0",
    "TasksMax": "32",
    "PrivateIPC": "yes",
    "PrivateUsers": "yes",
    "RestrictAddressFamilies": "AF_UNIX",
    "SystemCallFilter": "@system-service",
}
ENVIRONMENT: t.Mapping[str, str] = {"FLWR_HOME": "/tmp/.flwr", **QUIET}


class BuildError(FedopsError):
    """The app cannot be built; the message says why."""


Build = t.Callable[[str], "tuple[About, bytes]"]


class Builder:
    """Builds with the Flower of a home."""

    def __init__(self, home: str) -> None:
        self.program = os.path.join(home, "bin", "flwr")
        # What the user has no business with, if systemd lets it in at all.
        self.hidden = [
            os.path.join(home, name)
            for name in ("checkpoints", "data", "initial", "output", "state", "trainings", "published")
        ]

    def command(self, source: str) -> list[str]:
        """Return what builds the app of a folder."""
        properties = {
            **_PROPERTIES,
            "BindReadOnlyPaths": f"{source}:{SOURCE}",
            "InaccessiblePaths": " ".join(f"-{path}" for path in self.hidden),
        }
        return in_transient_unit("Flower builds an app", [self.program, "fab", SOURCE], properties, ENVIRONMENT)

    def __call__(self, source: str) -> tuple[About, bytes]:
        """Build the app of a folder that root alone can write; return what it is called, and its FAB."""
        if not os.access(self.program, os.X_OK):
            raise BuildError(f"{self.program} does not exist: run the playbook fedops.flower.site first.")
        return build(self.command(source))


def build(command: t.Sequence[str]) -> tuple[About, bytes]:
    """Run what builds an app; return what it is called, and its FAB."""
    said = Head(_HEADER + FAB_LIMIT + 1)
    try:
        done = run(command, SECONDS + 30, said)
    except FileNotFoundError:
        raise BuildError(_NO_PLACE) from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"it took longer than {SECONDS} s") from None
    if done.returncode != 0:
        raise BuildError(
            last_words(done.stderr) or f"it ended without a word; it may take {SECONDS} s and 1 GB of memory"
        )
    header, _newline, fab = said.kept().partition(b"\n")
    if not fab or len(header) > _HEADER or len(fab) > FAB_LIMIT:
        raise BuildError(f"it gave {len(fab)} bytes, but a FAB has at most {FAB_LIMIT}")
    try:
        return About.of(loads(header.decode("utf-8", "replace"))), fab
    except (ValueError, FabError) as error:
        raise BuildError(str(error)) from error
