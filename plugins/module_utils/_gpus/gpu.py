# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A GPU of a host, the device files by which a process uses it, and a link to them whose name stays.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from .._base.layout import GPU_NAMES

NVIDIA, AMD = "NVIDIA", "AMD"
# Where the tools of drivers lie.
DRIVER_TOOLS = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin:/usr/local/nvidia/bin:/opt/rocm/bin"
_UNSAFE = re.compile("[^A-Za-z0-9_.-]")


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one that its driver has cut off (MIG)."""

    vendor: str
    index: str  # as the driver's own tool counts; that of a part is GPU:PART
    uuid: str
    name: str
    bus: str  # of PCI
    nodes: tuple[str, ...] = ()  # device files of this one, below /dev
    common: tuple[str, ...] = ()  # device files that every process on any GPU of this vendor needs
    driver: str = ""
    memory: int | None = None  # bytes
    memory_used: int | None = None  # bytes
    busy: int | None = None  # percent of the time
    problem: str = ""  # why nothing can use it
    parts: tuple[Gpu, ...] = ()  # a GPU that is cut into parts is used by one of them

    @property
    def key(self) -> str:
        """What the links to its device files are called by."""
        return _UNSAFE.sub("_", self.uuid or self.bus)

    @property
    def links(self) -> dict[str, str]:
        """A link for each of its own device files, with where it leads."""
        own = [(f"{self.key}-{number}" if number else self.key, node) for number, node in enumerate(self.nodes)]
        return {os.path.join(GPU_NAMES, link): f"/dev/{node}" for link, node in own}


@dataclass
class FoundGpus:
    """What a host has."""

    gpus: list[Gpu] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of GPUs that no driver tells of


def pairs(text: str) -> dict[str, str]:
    """Return lines of NAME: VALUE."""
    parts = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, dummy, value in parts}


def whole(text: str) -> int | None:
    """Return the number that a text spells, if it does."""
    return int(text.strip()) if text.strip().isdigit() else None


def content(*path: str) -> str:
    """Return what is to be read in a file of the kernel's; nothing if there is none."""
    try:
        with open(os.path.join(*path), encoding="utf-8", errors="replace") as stream:
            return stream.read(65536)
    except OSError:
        return ""
