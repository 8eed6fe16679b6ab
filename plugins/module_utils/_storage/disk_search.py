# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking for the disk that is meant among those of a host, and at what is on it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import json
import os
import typing as t
from contextlib import suppress

from .disks import Disk, DiskError, choose, disk, flatten, parse

COLUMNS = "NAME,PATH,TYPE,SIZE,RO,SERIAL,MOUNTPOINTS"
ENDS = 1 << 20  # bytes

Device = t.Mapping[str, t.Any]  # a device as lsblk tells of it
Command = t.Callable[[t.Sequence[str]], tuple[int, str, str]]  # runs a command: exit status, what it said, its errors


class Ask:
    """Asks tools for what they tell as JSON."""

    def __init__(self, run: Command) -> None:
        self._run = run

    def __call__(self, *command: str) -> t.Any:
        code, out, error = self._run(command)
        if code:
            raise DiskError(
                f"{' '.join(command)} failed: {error.strip()}. Is util-linux installed, and does the disk work?"
            )
        return json.loads(out)


def disk_of(ask: Ask, row: Device) -> Disk:
    """Return what is on one device."""
    signatures = ask("wipefs", "--json", "--no-act", row["path"])["signatures"]
    return disk(row, signatures, is_blank(row["path"], int(row["size"] or 0)))


def is_blank(path: str, size: int) -> bool:
    """Tell whether both ends of a device are zeros."""
    with open(path, "rb") as stream:
        first = stream.read(ENDS)
        stream.seek(max(0, size - ENDS))
        return not any(first) and not any(stream.read(ENDS))


def find(ask: Ask, wanted: str) -> Disk:
    """Return the disk that is meant."""
    tag, name = parse(wanted)
    tree = ask("lsblk", "--json", "--bytes", "--output", COLUMNS)["blockdevices"]
    # Left out: optical drives, loops without a file, and what the kernel knows and this host has no node for.
    rows = [row for row in flatten(tree) if row["type"] != "rom" and row["size"] and os.path.exists(row["path"])]
    if tag in ("PATH", "ID"):
        path = os.path.realpath(name if tag == "PATH" else os.path.join("/dev/disk/by-id", name))
        return choose(wanted, *_split(ask, rows, lambda row: os.path.realpath(row["path"]) == path))
    if tag == "SERIAL":
        return choose(wanted, *_split(ask, rows, lambda row: (row.get("serial") or "").strip() == name))
    disks = disks_of_host(ask, rows)
    field = tag.lower()
    return choose(wanted, [one for one in disks if name in [getattr(on, field) for on in one.signatures]], disks)


def disks_of_host(ask: Ask, rows: t.Sequence[Device]) -> list[Disk]:
    """Return the disks that can be read; one that cannot is not the one that is meant."""
    disks = []
    for row in rows:
        with suppress(DiskError, OSError):
            disks.append(disk_of(ask, row))
    return disks


def _split(ask: Ask, rows: t.Sequence[Device], fits: t.Callable[[Device], bool]) -> tuple[list[Disk], list[Disk]]:
    matching = [disk_of(ask, row) for row in rows if fits(row)]
    return matching, [] if matching else disks_of_host(ask, rows)
