# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs what on a host, and what lies where: accounts, folders, units, ports.

Nobody becomes somebody else: each account owns what its own work needs, and what root acts on belongs to root.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

HOME = "/opt/flower"


@dataclass(frozen=True)
class Account:
    """A system account; its group has the same name and number."""

    name: str
    number: int
    purpose: str


# The number of Flower's own images: whoever shares volumes with a container finds the checkpoints readable.
APPS = Account("flower", 49999, "runs the ServerApps and owns the checkpoints; its group may read data")
SUPERLINK = Account("flower-superlink", 49998, "runs the SuperLink and owns its state")
CONTROL = Account("flower-control", 49997, "submits and supervises runs; owns what is asked of trainings")
GATEWAY = Account("flower-gateway", 49996, "runs nginx in front of the SuperLink")
SUPERNODE = Account("flower-supernode", 49995, "runs the SuperNodes")
# A group alone: each SuperNode's ClientApps run as a user that systemd makes for them, in this group.
CLIENTAPPS = Account("flower-clientapps", 49994, "the group of all ClientApps")

SUPERLINK_HOST = (APPS, SUPERLINK, CONTROL, GATEWAY)
SUPERNODE_HOST = (APPS, SUPERNODE)


@dataclass(frozen=True)
class Folder:
    """A folder below the home. An owner of None is root."""

    path: str
    owner: Account | None
    group: Account | None
    mode: int
    holds: str


FOLDERS: tuple[Folder, ...] = (
    Folder("app", None, None, 0o755, "the deployed apps, their FABs, and what ServerApps are started from"),
    Folder("bin", None, None, 0o755, "launchers"),
    Folder("certificates", None, None, 0o755, "certificates for all, private keys for root alone"),
    Folder("checkpoints", APPS, APPS, 0o750, "models"),
    Folder("control", CONTROL, CONTROL, 0o750, "the home of Flower's command line"),
    Folder("data", None, APPS, 0o750, "data of the site, or of the central evaluation"),
    Folder("published", APPS, APPS, 0o750, "what ServerApps tell of their trainings: claims, read as such"),
    Folder("records", None, None, 0o755, "what root acts on: the registry of SuperNodes, the deployed apps"),
    Folder("releases", None, None, 0o755, "virtual environments, one for each release"),
    Folder("state", SUPERLINK, SUPERLINK, 0o700, "the SuperLink's database"),
    Folder("supernodes", None, None, 0o755, "what each SuperNode is told"),
    Folder("supervisor", None, None, 0o755, "the program that supervises trainings"),
    Folder("trainings", CONTROL, APPS, 0o750, "what is asked of trainings, and what their supervisors remember"),
)
_BY_PATH: t.Mapping[str, Folder] = {folder.path: folder for folder in FOLDERS}


def folder(home: str, path: str) -> str:
    """Return where a folder of the table lies."""
    return os.path.join(home, _BY_PATH[path].path)
