# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directory may be given to the service account for its checkpoints: one that is nobody else's.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t
from contextlib import suppress

from .._base.home import CHECKPOINTS, HOME
from .._base.layout import FILES, FOLDERS, VENV
from .._checkpoint.names import round_of
from .._checkpoint.trainings import has_folder

# What lies in the home is something else's but for the checkpoints. A mount of our own may lie beside it, under a name
# that nothing else has.
_TAKEN = ({folder.path for folder in FOLDERS} | {file.path for file in FILES}) - {CHECKPOINTS}
TAKEN_IN_HOME = {path.split("/")[0] for path in _TAKEN if not path.startswith("/")} | {VENV}
_TAKEN_ELSEWHERE = tuple(sorted(path for path in _TAKEN if path.startswith("/")))
# What the system keeps below the root directory, as the Filesystem Hierarchy Standard and distributions have it.
# Any other directory there is the site's own.
_OF_THE_SYSTEM = tuple(
    "/" + name
    for name in (
        *("afs", "bin", "boot", "cdrom", "dev", "efi", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "lost+found"),
        *("nix", "ostree", "proc", "sbin", "selinux", "snap", "sys", "sysroot", "usr", "var"),
    )
)
_OF_THE_SITE = ("/var/lib/flower-checkpoints",)  # the one place below /var
_HIDDEN = ("/home", "/root", "/run", "/tmp", "/var/run", "/var/tmp")  # ProtectHome, PrivateTmp, gone after a boot

# The directory stands in units of systemd, where blanks, quotes, backslashes, %, $ and : mean something.
_PLAIN = re.compile(r"[A-Za-z0-9._+=@,/-]*")

# What may lie in a directory of checkpoints, and what a file system or a server puts there by itself.
_OURS = re.compile(
    r"checkpoint_.+|previous|\.lock|\.saved|\.probe-.+|\.fetch-.+|\.export-.+|.+\.partial|lost\+found|\.snapshot|\.zfs|\.nfs.+"
)


def directory_problems(directory: str, home: str = HOME, mounted: bool = False) -> list[str]:
    """Return what is wrong with a directory for checkpoints, one sentence each, without looking at a host.

    C(mounted) says that something of our own is mounted there, or is to be.
    """
    said = f"checkpoints_directory is {directory!r} but"
    if not directory.startswith("/") or os.path.normpath(directory) != directory or directory.count("/") < 2:
        return [f"{said} must be the absolute path of a directory below another one, such as {home}/checkpoints."]
    if not _PLAIN.fullmatch(directory):
        return [f"{said} must be of letters, digits and ._+=@,- between the slashes: systemd reads others its own way."]
    reason = _reason(directory, os.path.normpath(home), mounted)
    return [f"{said} {reason}. Choose a directory for checkpoints alone, such as {home}/checkpoints."] if reason else []


def strangers(path: str, uid: int) -> list[str]:
    """Return what has no business in a directory of checkpoints; in one that the account owns, that is nothing."""
    if os.stat(path).st_uid == uid:
        return []
    with suppress(PermissionError), os.scandir(path) as found:  # what root may not list, it cannot give away either
        others = [entry for entry in found if entry.stat(follow_symlinks=False).st_uid != uid]
        return foreign(entry.name for entry in others if not _is_of_a_training(entry))
    return []


def _is_of_a_training(entry: os.DirEntry[str]) -> bool:
    """Tell whether it is a training's folder, with checkpoints and nothing else in it."""
    if not has_folder(entry.name) or not entry.is_dir(follow_symlinks=False):
        return False
    names = os.listdir(entry.path)
    return any(map(round_of, names)) and not foreign(names)


def foreign(names: t.Iterable[str]) -> list[str]:
    """Return the files and folders that have no business in a directory of checkpoints."""
    return sorted(name for name in names if not _OURS.fullmatch(name))


def foreign_problem(path: str, names: t.Sequence[str], uid: int, gid: int) -> str:
    """Say that a directory is somebody else's, and what to do."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"{path} does not belong to the user {uid} and holds what is no checkpoint: {shown}. It was not touched."
        " Choose a directory for checkpoints alone, or empty this one. If the user is to have all of it, give it away"
        f" yourself (chown {uid}:{gid} {path}), then run again."
    )


def _reason(directory: str, home: str, mounted: bool) -> str | None:
    if _is_in(home, directory):
        return f"{home}, the home of the account, lies there"
    if _is_in(directory, home):
        first = directory[len(home) + 1 :].split("/")[0]
        if first in TAKEN_IN_HOME or first.startswith("."):
            return f"{home}/{first} holds something else of Flower"
        if first != CHECKPOINTS and not mounted:
            return f"below {home} only {home}/{CHECKPOINTS} holds checkpoints, unless they have a mount of their own"
        return None
    taken = next((place for place in _TAKEN_ELSEWHERE if _is_in(directory, place)), None)
    if taken:
        return f"{taken} holds something else of Flower"
    if any(_is_in(directory, place) for place in _HIDDEN):
        return "the units of Flower do not see what lies there, or it does not survive a boot"
    if any(_is_in(directory, place) for place in _OF_THE_SITE):
        return None
    if any(_is_in(directory, place) for place in _OF_THE_SYSTEM):
        return "that belongs to the system, and the service account would get it for its own"
    return None


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")
