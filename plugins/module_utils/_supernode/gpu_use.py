# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the GPUs of a host are used: by which SuperNodes, and how much.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._base.files import File
from .._base.layout import GPU_NAMES, SYSTEMD
from .._gpus.access import gpu_settings
from .._gpus.gpu import FoundGpus, Gpu
from .place import places_found

_ALLOWED = re.compile(f"^DeviceAllow={re.escape(GPU_NAMES)}/(\\S+) rw$", re.MULTILINE)
ONLY_ONE = "of the host"  # where a host has one, which has the name of the host


def gpus_allowed(systemd: str = SYSTEMD) -> dict[str, list[str]]:
    """Return the links by which each SuperNode of the host may use GPUs, by its instance, if it may use any."""
    found = {}
    for place in places_found("", systemd):
        text = File(gpu_settings(place.apps_unit, systemd), "").found
        if text:
            found[place.instance or ONLY_ONE] = _ALLOWED.findall(text)
    return found


def gpu_rows(found: FoundGpus, allowed: t.Mapping[str, t.Collection[str]]) -> list[dict[str, t.Any]]:
    """Return each GPU of the host, or each part of one that is cut, with the SuperNodes that may use it."""
    return [
        {
            "index": gpu.index,
            "name": gpu.name,
            "uuid": gpu.uuid,
            "driver": gpu.driver,
            "supernodes": [name for name, links in allowed.items() if gpu.key in links],
            "memory": gpu.memory,
            "memory_used": gpu.memory_used,
            "busy": gpu.busy,
            "problem": gpu.problem,
        }
        for gpu in _each(found)
    ]


def gpu_problems(found: FoundGpus, allowed: t.Mapping[str, t.Collection[str]]) -> list[str]:
    """Return what keeps SuperNodes from GPUs that they are to use."""
    if not allowed:
        return []
    there = {os.path.basename(link) for gpu in _each(found) for link in gpu.links}
    gone = {name: [link for link in links if link not in there] for name, links in allowed.items()}
    return [
        *found.problems,
        *(gpu.problem for gpu in found.gpus if gpu.problem),
        *(
            f"The SuperNode {name} is to use GPU {', '.join(links)}, which the host does not have now. Bring it back,"
            " or run fedops.flower.site for the GPUs that it has."
            for name, links in gone.items()
            if links
        ),
    ]


def _each(found: FoundGpus) -> list[Gpu]:
    return [one for gpu in found.gpus for one in (gpu.parts or (gpu,))]
