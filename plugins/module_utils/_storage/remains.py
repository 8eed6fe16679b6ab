# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a teardown finds on a host: what goes with the software, and what stays until it is given up.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t

from .._base.home import CHECKPOINTS, HOME
from .._base.layout import (
    ACCOUNTS,
    APPS,
    FENCE_UNIT,
    FILES,
    FOLDERS,
    IDENTITY,
    MODELS,
    OF_FLOWER,
    SITE_DATA,
    SOFTWARE,
    UNITS,
    VENV,
    Folder,
    HostFile,
    folder,
)
from .backends import BACKENDS


def remains(
    home: str = "",
    user: str = "",
    checkpoints: str = "",
    backend: str = "local",
    given_up: t.Container[str] = (),
) -> dict[str, t.Any]:
    """Return what there may be on a host.

    C(checkpoints) is where they lie when that is elsewhere than in the home; what is mounted is no host's to remove.
    C(given_up) are the variables, such as C(teardown_data), that give up what otherwise stays.
    """
    home, names = home or HOME, {APPS.name: user or APPS.name}
    entries: list[Folder | HostFile] = [*FOLDERS, *FILES]
    gone = [entry.path for entry in entries if entry.fate == SOFTWARE]
    treasures = {
        fate: [folder(home, path) for path in _topmost([entry.path for entry in FOLDERS if entry.fate == fate])]
        for fate in (MODELS, SITE_DATA, IDENTITY)
    }
    usual = folder(home, CHECKPOINTS)
    mounted = backend in BACKENDS and BACKENDS[backend].mounted
    treasures[MODELS] = [path for path in treasures[MODELS] if path != usual]
    if not mounted:
        treasures[MODELS].insert(0, checkpoints or usual)
    return {
        "services": [one.name for one in reversed(UNITS) if "@" not in one.name and not one.by_another],
        "fences": [f"{FENCE_UNIT}{kind}.service" for kind in OF_FLOWER],
        "tables": [f"flower_{kind}" for kind in OF_FLOWER],
        "software": [os.path.join(home, path) for path in [*_topmost(gone), VENV]],
        "mounted": mounted,
        "source": BACKENDS[backend].source if mounted else "",
        "given_up": [path for fate, paths in treasures.items() if fate in given_up for path in paths],
        "kept": [path for fate, paths in treasures.items() if fate not in given_up for path in paths],
        "users": [names.get(one.name, one.name) for one in reversed(ACCOUNTS) if not one.is_group],
        "groups": [one.name for one in ACCOUNTS if one.is_group],
    }


def _topmost(paths: t.Collection[str]) -> list[str]:
    return [path for path in paths if not any(path.startswith(f"{other}/") for other in paths)]
