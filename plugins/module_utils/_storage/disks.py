# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which disk is meant, and whether it may get a file system: only one that carries nothing at all.

This module is private to the collection and may change at any time.
It judges what util-linux has said of disks; it touches none.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError

# Told by its label, so that a disk that outlived its host is known again and used without a question.
LABEL = "flower-ckpt"
FILE_SYSTEMS = {"ext4": 16 << 20, "xfs": 300 << 20}  # and the least that each can live on
TOOLS = {"ext4": "e2fsprogs", "xfs": "xfsprogs"}  # the package of each
TAGS = ("ID", "LABEL", "SERIAL", "UUID")

FORMAT, USE = "format", "use"


class DiskError(FedopsError):
    """The disk cannot be had; the message names it, says what was found on it, and what to do."""


@dataclass(frozen=True)
class Signature:
    """What wipefs has found."""

    type: str
    label: str | None = None
    uuid: str | None = None

    def __str__(self) -> str:
        return self.type + (f" with the label {self.label!r}" if self.label else "")


@dataclass(frozen=True)
class Disk:
    """One block device as it is."""

    path: str
    size: int
    read_only: bool = False
    serial: str | None = None
    mounts: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # partitions, volumes and whatever else is made of it
    signatures: tuple[Signature, ...] = ()
    blank: bool = True  # whether its first and last MiB are zeros

    @property
    def file_system(self) -> Signature | None:
        """The only thing on it, when that is a file system of a kind that checkpoints may lie on."""
        one = self.signatures[0] if len(self.signatures) == 1 else None
        return one if one and one.type in FILE_SYSTEMS else None


def flatten(rows: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Return the devices in lsblk's tree, parents first.

    One that is made of several, such as a RAID, a multipath or a volume over two disks, stands below each of them.
    """
    found: dict[str, t.Mapping[str, t.Any]] = {}
    for row in rows:
        for device in (row, *flatten(row.get("children") or [])):
            found.setdefault(device["path"], device)
    return list(found.values())


def disk(row: t.Mapping[str, t.Any], signatures: t.Iterable[t.Mapping[str, t.Any]], blank: bool) -> Disk:
    """Make a disk of a row of C(lsblk --json --bytes) and the signatures of C(wipefs --json --no-act)."""
    return Disk(
        path=row["path"],
        size=int(row["size"] or 0),
        read_only=bool(row.get("ro")),
        serial=(row.get("serial") or "").strip() or None,
        mounts=tuple(mount for mount in row.get("mountpoints") or [] if mount),
        parts=tuple(child["path"] for child in row.get("children") or []),
        signatures=tuple(
            Signature(one["type"], one.get("label") or None, one.get("uuid") or None) for one in signatures
        ),
        blank=blank,
    )


def parse(wanted: str) -> tuple[str, str]:
    """Return how a disk is named, and the name: by path, or by a tag as in fstab."""
    if wanted.startswith("/"):
        return "PATH", wanted
    tag, equals, value = wanted.partition("=")
    if equals and tag in TAGS and value:
        return tag, value
    raise DiskError(
        f"checkpoints_disk_device is {wanted!r} but must be a path such as /dev/vdb,"
        f" or one of {', '.join(f'{tag}=…' for tag in TAGS)}."
    )


def choose(wanted: str, matching: t.Sequence[Disk], seen: t.Iterable[Disk]) -> Disk:
    """Return the one disk that has the name; a name that two have is no name."""
    if len(matching) == 1:
        return matching[0]
    if matching:
        both = ", ".join(one.path for one in matching)
        raise DiskError(
            f"checkpoints_disk_device is {wanted} but {len(matching)} disks have it: {both}. Name one by path."
        )
    there = "; ".join(_shown(one) for one in seen) or "none"
    raise DiskError(f"checkpoints_disk_device is {wanted} but this host has no such disk. It has: {there}.")


def judge(found: Disk, file_system: str, mount_point: str, adopt: bool) -> str:
    """Return what is to be done with a disk, FORMAT or USE, or raise DiskError with all that speaks against it."""
    reasons = [f"it is mounted on {place}" for place in found.mounts if place != mount_point]
    if found.read_only:
        reasons.append("it is read-only")
    if found.parts:
        reasons.append(f"it is divided into {', '.join(found.parts)}")
    if found.size < FILE_SYSTEMS[file_system]:
        reasons.append(f"it has {found.size >> 20} MiB and {file_system} needs {FILE_SYSTEMS[file_system] >> 20}")
    if found.signatures:
        reasons += _not_ours(found, file_system, adopt)
    elif not found.blank:
        reasons.append("no signature is known on it, but its first and last MiB are not zeros, so something may be")
    if reasons:
        raise DiskError(f"{found.path} is not touched: {'; '.join(reasons)}. {_way_out(found, file_system)}")
    return USE if found.signatures else FORMAT


def _not_ours(found: Disk, file_system: str, adopt: bool) -> list[str]:
    there = found.file_system
    if there is None:
        return [f"it carries {' and '.join(dict.fromkeys(map(str, found.signatures)))}"]  # a table has a copy of itself
    if there.type != file_system:
        return [f"it carries {there}, and checkpoints_disk_filesystem is {file_system}"]
    return [] if adopt or there.label == LABEL else [f"it carries {there}, which this role has not made"]


def _way_out(found: Disk, file_system: str) -> str:
    there = found.file_system
    if there and there.type == file_system and there.label != LABEL:
        return "To use that file system with all that is on it, set checkpoints_disk_adopt to true."
    if there and there.type != file_system and not found.mounts:
        return f"To use that file system, set checkpoints_disk_filesystem to {there.type}."
    if found.mounts:
        return "Name another disk in checkpoints_disk_device."
    return (
        "Name another disk in checkpoints_disk_device. If nothing on this one is needed, empty it yourself:"
        f" wipefs --all {found.path} && blkdiscard --zeroout {found.path}"
    )


def _shown(found: Disk) -> str:
    names = [f"{found.size >> 20} MiB"]
    names += [f"SERIAL={found.serial}"] if found.serial else []
    names += [f"LABEL={one.label}" for one in found.signatures if one.label]
    return f"{found.path} ({', '.join(names)})"
