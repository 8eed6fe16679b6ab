# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing back what an archive holds, all of it or nothing, where the list says and as the list has it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import tempfile
import typing as t

from .._base import guarded
from .._base.layout import APPS, DATABASE, Account
from .._base.reading import sha256_of
from .contents import ARCHIVED_SUPERLINK, listed, rule_for
from .database import ArchiveError, check_database
from .kept import BORN, folder_of
from .sealing import Seal
from .unpack import unpack


def restore(
    path: str,
    base: str,
    seal: Seal,
    holds: str = ARCHIVED_SUPERLINK,
    user: str = APPS.name,
    names: t.Collection[str] = (),
    required: t.Iterable[str] = (),
) -> list[str]:
    """Bring back what is not there, all of it or nothing; return the names.

    A file that is there with other contents is refused. Owners are accounts of this host by their names, modes those of
    the list. C(user) is the account of the ServerApps. C(names) are those that may come, where that is no list of ours.
    """
    os.makedirs(base, 0o755, exist_ok=True)
    _expect_own(base)
    # Beside its final place, so that a rename is all that is left to do. Accounts may pass, as SQLite reads as one.
    staging = tempfile.mkdtemp(prefix=".restore-", dir=base)
    try:
        os.chmod(staging, 0o711)
        entries = unpack(path, staging, seal, holds, required)
        if foreign := sorted(set(entries) - set(names)) if names else []:
            raise ArchiveError(f"{path} holds {listed(foreign)}, which is not asked for. Nothing was brought back.")
        owners = {name: _owners(rule_for(entry["name"], holds).owner, user) for name, entry in entries.items()}
        present = [name for name in entries if guarded.status(os.path.join(base, name)) is not None]
        other = [name for name in present if not _is_same(os.path.join(base, name), entries[name])]
        is_fresh = guarded.status(os.path.join(base, DATABASE)) is None
        making_way = [name for name in other if is_fresh and holds == ARCHIVED_SUPERLINK and name in BORN]
        differing = [name for name in other if name not in making_way]
        if differing:
            differing.sort(key=lambda name: (name != DATABASE, name))  # the state says the most
            raise ArchiveError(
                f"{base} already has {listed(differing)}, with other contents. Nothing was brought back."
                " Restore to a fresh host, or remove what is there first."
            )
        coming = sorted({*entries} - {*present} | {*making_way})
        for name in coming:
            staged, owner = entries[name]["staged"], owners[name]
            if owner is not None:
                os.chown(staged, *owner, follow_symlinks=False)
            os.chmod(staged, _mode(entries[name], holds))
        if DATABASE in coming:
            check_database(entries[DATABASE]["staged"], f"{DATABASE} in {path}")
        for name in coming:
            _make_folders(base, os.path.dirname(name), user)
            guarded.rename(entries[name]["staged"], os.path.join(base, name))
        return coming
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _mode(entry: t.Mapping[str, t.Any], holds: str) -> int:
    """Return the mode of the list; of files that no list of ours has, their own, without what others may write."""
    if holds == ARCHIVED_SUPERLINK:
        return rule_for(entry["name"], holds).mode
    return entry["mode"] & 0o644 | 0o600


def _owners(account: Account | None, user: str) -> tuple[int, int] | None:
    """Return an account of this host by its name; None where we are not root, and all of it is ours."""
    if os.geteuid() != 0:
        return None
    if account is None:
        return 0, 0
    name = user if account is APPS else account.name
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ArchiveError(
            f"The account {name} is not on this host. Deploy it first (role fedops.flower.runtime)."
        ) from None
    return found.pw_uid, found.pw_gid


def _make_folders(base: str, folder: str, user: str) -> None:
    """Make the folders of a file that are not there, as the list has them."""
    path = ""
    for part in filter(None, folder.split("/")):
        path = os.path.join(path, part)
        whole = os.path.join(base, path)
        if guarded.status(whole) is None:
            owner, group, mode = folder_of(path)
            users, groups = _owners(owner, user), _owners(group, user)
            owners = (users[0], groups[1]) if users and groups else guarded.us()
            guarded.make_directory(whole, mode, owners)


def _is_same(path: str, entry: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a file is there with the very contents."""
    try:
        with guarded.regular_file(path, entry["bytes"]) as stream:
            return sha256_of(stream, entry["bytes"]) == entry["sha256"]
    except OSError:
        return False


def _expect_own(base: str) -> None:
    """Refuse a directory in which somebody else could put something in the place of what is staged."""
    with guarded.directory(base) as descriptor:
        found = os.fstat(descriptor)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH:
        raise ArchiveError(
            f"{base} belongs to the user {found.st_uid}, who could change what is brought back. Deploy this host first"
            " (role fedops.flower.runtime)."
        )
