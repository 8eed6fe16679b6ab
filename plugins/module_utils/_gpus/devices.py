# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a host, and links to their device files.

Which number a GPU has may be another one after the next start of the host; its UUID stays. systemd follows a link that
it is to allow (C(DeviceAllow=)), so units name links by UUID, which are made anew whenever the host starts.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import grp
import os
import stat
import typing as t

from .._base.layout import GPU_NAMES
from .amd import amd_gpus
from .gpu import FoundGpus, Gpu
from .nvidia import nvidia_gpus

_FOR_ALL = stat.S_IROTH | stat.S_IWOTH


def found_gpus(root: str = "/") -> FoundGpus:
    """Return the GPUs of a host, those of NVIDIA first."""
    found = nvidia_gpus(root)
    found.gpus += amd_gpus(root)
    return found


def make_links(gpus: t.Iterable[Gpu], root: str = "/") -> None:
    """Have the device files of these GPUs, and the links to them, and no other links."""
    wanted = {
        link: target for gpu in gpus for one in (gpu, *gpu.parts) for link, target in one.links.items() if one.nodes
    }
    folder = os.path.join(root, GPU_NAMES.lstrip("/"))
    if not wanted and not os.path.isdir(folder):
        return
    os.makedirs(folder, 0o755, exist_ok=True)
    for stale in set(os.listdir(folder)) - {os.path.basename(link) for link in wanted}:
        os.unlink(os.path.join(folder, stale))
    for link, target in wanted.items():
        place = os.path.join(root, link.lstrip("/"))
        if os.path.islink(place) and os.readlink(place) == target:
            continue
        os.symlink(target, f"{place}.new")
        os.rename(f"{place}.new", place)


def groups_of(gpus: t.Iterable[Gpu], root: str = "/") -> list[str]:
    """Return the groups of the host whose members alone may open the device files of these GPUs, as render of AMD's."""
    found = []
    for name in dict.fromkeys(name for gpu in gpus for name in (*gpu.common, *gpu.nodes)):
        try:
            status = os.stat(os.path.join(root, "dev", name))
            group = grp.getgrgid(status.st_gid).gr_name
        except (OSError, KeyError):
            continue
        if status.st_mode & _FOR_ALL != _FOR_ALL and status.st_gid and status.st_mode & stat.S_IRGRP:
            found.append(group)
    return sorted(set(found))
