# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where checkpoints may lie: what is asked for, what is mounted, what lies in the way, and what a probe has shown.

This module is private to the collection and may change at any time.
It judges; modules look and act.
"""

from __future__ import annotations

import errno
import os
import re
import typing as t
from dataclasses import dataclass

from .._base.errors import FedopsError
from .._base.home import HOME
from .disks import TOOLS, DiskError, parse
from .places import directory_problems

Wanted = t.Mapping[str, t.Any]  # the variables of the role, without their prefix
ASIDE = ".before-mount"  # what lay in the directory before it became a mount point

_EXPORT = re.compile(r"(\[[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?\]|[^\s:/\[\]]+):(/\S*)")
_VERSION = re.compile(r"4(\.[0-2])?")
# What makes a checkpoint that was reported as saved disappear, or two writers overlook each other.
_HARMFUL = {
    "soft": "a server that is away for a moment would end every save with an error",
    "softerr": "a server that is away for a moment would end every save with an error",
    "nolock": "two runs could save into one directory",
    "local_lock=all": "two runs could save into one directory",
    "local_lock=flock": "two runs could save into one directory",
    "ro": "nothing could be saved",
}


class StorageError(FedopsError):
    """The storage cannot hold checkpoints as it is; the message says why and what to do."""


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo."""

    point: str
    type: str
    source: str
    device: str = ""
    root: str = "/"  # what of the file system is mounted; another one than its root is a bind mount


def problems(wanted: Wanted) -> list[str]:
    """Return what is wrong with the variables of the role C(checkpoints), one sentence each."""
    name, directory, home = wanted["backend"], str(wanted["directory"]), str(wanted.get("home") or HOME)
    backend = BACKENDS.get(name)
    if backend is None:
        told = f"checkpoints_backend is {name!r} but must be one of {', '.join(BACKENDS)}."
        return [told, *directory_problems(directory, home)]
    return directory_problems(directory, home, backend.mounted) + backend.problems(wanted)


def packages(name: str, wanted: Wanted) -> list[str]:
    """Return what a host needs for a backend."""
    return [*BACKENDS[name].packages(wanted)] if name in BACKENDS else []


def mounts(mountinfo: str) -> list[Mount]:
    """Read C(/proc/self/mountinfo)."""
    found = []
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(" - ")
        if dash:
            kind, source = after.split(" ")[:2]
            device, root, point = before.split(" ")[2:5]
            found.append(Mount(_plain(point), kind, _plain(source), device, _plain(root)))
    return found


def mounted_at(found: t.Iterable[Mount], path: str) -> Mount | None:
    """Return what is mounted on exactly this directory: the last one, which covers the others."""
    return next((mount for mount in reversed(list(found)) if mount.point == path), None)


def other_paths(found: t.Sequence[Mount], path: str) -> list[str]:
    """Return what a path really leads to, where it lies in a part of a file system that is mounted a second time."""
    covering = [mount for mount in found if (path + "/").startswith(mount.point.rstrip("/") + "/")]
    if not covering:
        return []
    own = max(reversed(covering), key=lambda mount: len(mount.point))  # the last of those on one directory
    if "/" in (own.root, own.point):
        return []  # all of the file system, or the root of the host: this is its first name
    inside = _joined(own.root, path[len(own.point.rstrip("/")) :])
    wider = [mount for mount in found if mount.device == own.device and len(mount.root) < len(own.root)]
    return sorted(
        _joined(mount.point, inside[len(mount.root.rstrip("/")) :])
        for mount in wider
        if (inside + "/").startswith(mount.root.rstrip("/") + "/")
    )


def _joined(folder: str, rest: str) -> str:
    return folder.rstrip("/") + rest or "/"


def stray_problem(path: str, names: t.Sequence[str]) -> str:
    """Say that files lie where something is to be mounted, and between what to choose."""
    shown = ", ".join(sorted(names)[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"{path} is to be a mount point but holds files: {shown}. The mount would hide them. Choose:"
        " set checkpoints_existing to move, and they are brought to the new storage;"
        " or set checkpoints_backend to local, and they stay where they are."
    )


def unmounted_problem(path: str) -> str:
    """Say that there are no checkpoints because what they lie on is missing."""
    return (
        f"{path} is a mount point, but nothing is mounted there: its disk or server is missing. Nothing is saved and"
        " flower-superexec does not start until it is back; flower-checkpoints.timer tries it again and again."
    )


def conflict_problem(aside: str, path: str, names: t.Sequence[str]) -> str:
    """Say that files cannot be brought because others have their names."""
    return (
        f"{aside} holds {', '.join(sorted(names)[:5])} and {path} has others of that name. Nothing was brought or"
        f" removed. Decide which ones are needed: empty {aside}, or move those of {path} away, and run again."
    )


def bring_problem(aside: str, path: str, failed: str, number: int) -> str:
    """Say on which file or directory the bringing ended."""
    return (
        f"The files of {aside} cannot be brought to {path}: {failed}: {os.strerror(number)}. Nothing was removed."
        " Mend that one or move it away, then run again: what has arrived is not copied anew."
    )


def probe_problem(step: str, number: int, path: str, uid: int, owner: tuple[int, int, int], kind: str) -> str:
    """Say what a probe as the service account could not do, and what is most likely behind it.

    C(owner) is user, group and mode of the directory as this host sees it.
    """
    user, group, mode = owner
    said = f"The user {uid} cannot {step} in {path}: {os.strerror(number)}. "
    seen = f"The directory belongs to {user}:{group} with mode {mode:04o}"
    if number in (errno.EACCES, errno.EPERM) and kind.startswith("nfs"):
        return (
            said
            + f"{seen}, and the server does not let root of this host change that (root_squash). On the server, either"
            f" give the exported directory away (chown {uid}:{uid} and chmod 0750), or export it with no_root_squash to"
            f" this host alone, or with all_squash,anonuid={uid},anongid={uid}. Then run again."
        )
    if number in (errno.EACCES, errno.EPERM):
        return said + f"{seen}. Let the user reach and write it, then run again."
    if number == errno.ENOSPC:
        return said + "Free space there, then run again."
    if number == errno.EROFS:
        return said + "It is mounted read-only: mend the file system or the mount options, then run again."
    if number in (errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOLCK):
        return said + f"Checkpoints need that; a {kind} mount of this kind does not offer it."
    return said + "Mend the storage, then run again."


def _disk_problems(wanted: Wanted) -> list[str]:
    device = str(wanted["device"] or "")
    if not device:
        return [
            "checkpoints_backend is disk, which needs checkpoints_disk_device: a disk of the SuperLink by path, such as"
            " /dev/vdb, or as ID=…, LABEL=…, SERIAL=… or UUID=…."
        ]
    try:
        parse(device)
    except DiskError as error:
        return [str(error)]
    return []


def _nfs_problems(wanted: Wanted) -> list[str]:
    export, options = str(wanted["export"] or ""), str(wanted["nfs_options"] or "")
    found = []
    if not export:
        found.append(
            "checkpoints_backend is nfs, which needs checkpoints_nfs_export, such as nas.example.org:/exports/flower."
        )
    elif not _EXPORT.fullmatch(export):
        found.append(f"checkpoints_nfs_export is {export!r} but must look like nas.example.org:/exports/flower.")
    if re.search(r"\s", options):
        found.append(f"checkpoints_nfs_options is {options!r} but must be one word: commas and no blanks between them.")
    given = [option.strip() for option in options.split(",") if option.strip()]
    versions = [version for version in map(_version, given) if version is not None]
    if not versions or not all(map(_VERSION.fullmatch, versions)):
        found.append(f"checkpoints_nfs_options is {options!r} but must name NFS 4, as vers=4.2, vers=4.1 or vers=4.0.")
    for option in given:
        if option in _HARMFUL:
            found.append(f"checkpoints_nfs_options has {option}, but then {_HARMFUL[option]}. Take it out.")
    return found


def _version(option: str) -> str | None:
    """Return the version of NFS that an option of mount.nfs asks for, in any of its spellings."""
    name, equals, value = option.partition("=")
    if name in ("vers", "nfsvers"):
        return value
    return name[1:] if re.fullmatch(r"v[0-9][0-9.]*", name) and not equals else None


def _plain(text: str) -> str:
    # The kernel writes blanks and backslashes in names as octal numbers.
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


@dataclass(frozen=True)
class Backend:
    """A way to store checkpoints, and what it asks of the variables of the role C(checkpoints).

    One that is mounted has a file of tasks of its name in that role.
    """

    mounted: bool = True
    source: str = ""  # the variable that says what is mounted
    problems: t.Callable[[Wanted], list[str]] = lambda wanted: []
    packages: t.Callable[[Wanted], t.Iterable[str]] = lambda wanted: ()


BACKENDS: t.Mapping[str, Backend] = {
    "local": Backend(mounted=False),
    "disk": Backend(
        source="checkpoints_disk_device", problems=_disk_problems, packages=lambda wanted: [TOOLS[wanted["filesystem"]]]
    ),
    "nfs": Backend(source="checkpoints_nfs_export", problems=_nfs_problems, packages=lambda wanted: ["nfs-common"]),
}
