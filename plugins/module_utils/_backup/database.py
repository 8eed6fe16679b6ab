# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copying a database of SQLite that another account writes: SQLite opens it as that account, and never as root.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import typing as t
from contextlib import closing
from urllib.parse import quote

from .._base import guarded
from .._base.errors import FedopsError
from .._base.reading import pieces
from .._storage.probe import as_user


class ArchiveError(FedopsError):
    """Something cannot be kept or brought back as it is; the message says what."""


def snapshot(source: str, target: str) -> None:
    """Copy a database as it is at one moment, with what is still in its write-ahead log; prove that it is whole.

    The copy belongs to whoever calls, and lies in a directory of theirs.
    """
    try:
        found = guarded.status(source)
    except OSError as error:
        raise ArchiveError(f"{source} cannot be kept: {error.strerror}.") from error
    if found is None:
        raise ArchiveError(f"{source} is missing: there is no state to be kept.")
    if not stat.S_ISREG(found.st_mode):
        raise ArchiveError(f"{source} is no regular file: there is no state to be kept.")
    if os.geteuid() != 0 or found.st_uid == 0:
        _refuse_damage(_copy(source, target), source)
        return
    with guarded.directory(os.path.dirname(source)) as parent:
        above = os.fstat(parent)
    if found.st_uid != above.st_uid or found.st_nlink > 1:
        raise ArchiveError(
            f"{source} belongs to the user {found.st_uid}, and its directory to {above.st_uid}: it is not kept."
        )
    folder = tempfile.mkdtemp(prefix="fedops-database-")
    try:
        os.chown(folder, found.st_uid, found.st_gid)
        copy = os.path.join(folder, "copy.db")
        _refuse_damage(as_user(found.st_uid, found.st_gid, lambda: _copy(source, copy)), source)
        with guarded.regular_file(copy, None, (found.st_uid,)) as stream, _created(target) as kept:
            kept.writelines(pieces(stream, os.fstat(stream.fileno()).st_size))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_database(path: str, name: str) -> None:
    """Raise ArchiveError unless SQLite finds a database whole. A file of an account is opened as that account."""
    found = os.stat(path, follow_symlinks=False)
    if os.geteuid() == 0 and found.st_uid != 0:
        said = as_user(found.st_uid, found.st_gid, lambda: _judge(path) if os.access(path, os.R_OK) else None)
    else:
        said = _judge(path)
    if said is None:
        raise ArchiveError(
            f"The user {found.st_uid} cannot reach {os.path.dirname(path)}, to check {name}. Let everybody pass each"
            " directory on the way to it (chmod o+x)."
        )
    _refuse_damage(said, name)


def _refuse_damage(said: str, name: str) -> None:
    if said != "ok":
        raise ArchiveError(f"{name} is damaged: {said}.")


def _copy(source: str, target: str) -> str:
    """Copy it through SQLite; return what SQLite says of the copy."""
    try:
        with (
            closing(sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True)) as here,
            closing(sqlite3.connect(target)) as there,
        ):
            here.backup(there)
    except sqlite3.Error as error:
        return _first_line(error)
    return _judge(target)


def _judge(path: str) -> str:
    try:
        # Immutable: nothing beside it is read or made.
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)) as database:
            return _first_line(database.execute("PRAGMA integrity_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return _first_line(error)


def _first_line(said: object) -> str:
    return (str(said).splitlines() or [""])[0][:200]


def _created(path: str) -> t.IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")
