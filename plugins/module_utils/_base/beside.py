# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where something of ours is kept on the controller: beside the inventory.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t


def beside_inventory(inventory: str, sources: t.Iterable[str], name: str) -> str:
    """Return the directory of this name beside the inventory; empty where that has no directory.

    C(inventory) is the directory that the SuperLink's host is listed in, C(sources) what Ansible has read as
    inventories. It reads every file below a directory as one, so that nothing is put there, unless it is there already.
    """
    if not inventory:
        return ""
    inside = os.path.join(inventory, name)
    around = [source for source in sources if os.path.isdir(source) and _holds(source, inventory)]
    if not around or os.path.exists(inside):
        return inside
    return os.path.join(os.path.dirname(os.path.abspath(min(around, key=len))), name)


def _holds(directory: str, path: str) -> bool:
    """Tell whether a path lies in a directory at any depth, or is that directory."""
    directory = os.path.abspath(directory)
    return os.path.commonpath([os.path.abspath(path), directory]) == directory
