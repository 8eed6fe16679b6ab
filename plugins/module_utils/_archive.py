# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of what a host cannot make again: files with owner and mode, and a database as it was at one moment.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
import tempfile
import typing as t
from contextlib import closing, suppress

from ._checkpoints import sha256_of
from ._sealing import Seal

CONTENTS = "contents.json"
_CHUNK = 1 << 20


class ArchiveError(Exception):
    """Something cannot be kept or brought back as it is; the message says what."""


def create(
    path: str,
    base: str,
    names: t.Iterable[str],
    databases: t.Iterable[str],
    seal: Seal,
    required: t.Iterable[str] = (),
) -> dict[str, t.Any]:
    """Keep files and folders below C(base) in a sealed archive; return what is in it.

    What of C(names) is not there is left out. Folders and files that change meanwhile are kept as they are found.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    entries: dict[str, dict[str, t.Any]] = {}
    with seal.writing(path) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for name in databases:
            with tempfile.TemporaryDirectory(prefix="fedops-archive-") as folder:  # 0700, as it must be
                copy = os.path.join(folder, "copy.db")
                snapshot(os.path.join(base, name), copy)
                entries[name] = _add(archive, name, copy, os.stat(os.path.join(base, name)))
        for found in sorted({found for name in names for found in _files(base, name)}):
            with suppress(FileNotFoundError):  # a temporary name, which a training that goes on has given up since
                entries[found] = _add(archive, found, os.path.join(base, found), os.stat(os.path.join(base, found)))
        _expect(required, entries, base)
        text = json.dumps({"version": 1, "files": entries, "databases": list(databases)}, indent=2).encode()
        archive.addfile(_info(CONTENTS, len(text)), io.BytesIO(text))
    return entries


def snapshot(source: str, target: str) -> None:
    """Copy a database as it is at one moment, with what is still in its write-ahead log; prove that it is whole."""
    if not os.path.exists(source):
        raise ArchiveError(f"{source} is missing: there is no state to be kept.")
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)
    check_database(target, source)


def check_database(path: str, name: str) -> None:
    """Raise ArchiveError unless SQLite finds a database whole."""
    try:
        with closing(sqlite3.connect(path)) as database:
            said = database.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise ArchiveError(f"{name} is damaged: {said}.")


def unpack(path: str, target: str, seal: Seal, required: t.Iterable[str] = ()) -> dict[str, dict[str, t.Any]]:
    """Unpack an archive into an empty folder and verify every byte of it; return what is in it."""
    try:
        with seal.reading(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                _unpack_one(archive, member, target)
    except tarfile.TarError as error:
        raise ArchiveError(f"{path} is damaged: {error}.") from error
    try:
        with open(os.path.join(target, CONTENTS), encoding="utf-8") as text:
            contents = json.load(text)
    except (OSError, ValueError):
        raise ArchiveError(f"{path} is damaged: it has no list of its contents.") from None
    found = {
        os.path.relpath(os.path.join(folder, name), target) for folder, _d, names in os.walk(target) for name in names
    }
    if found - {CONTENTS} != set(contents["files"]):
        raise ArchiveError(f"{path} is damaged: it does not hold what its list says.")
    for name, entry in contents["files"].items():
        if sha256_of(os.path.join(target, name)) != entry["sha256"]:
            raise ArchiveError(f"{path} is damaged: {name} in it is not what its list says.")
    for name in contents["databases"]:
        check_database(os.path.join(target, name), f"{name} in {path}")
    _expect(required, contents["files"], path)
    return contents["files"]


def verify(path: str, seal: Seal, required: t.Iterable[str] = ()) -> dict[str, dict[str, t.Any]]:
    """Verify an archive without leaving anything of it behind."""
    with tempfile.TemporaryDirectory(prefix="fedops-archive-") as folder:
        return unpack(path, folder, seal, required)


def restore(
    path: str,
    base: str,
    seal: Seal,
    uid: int | None = None,
    gid: int | None = None,
    required: t.Iterable[str] = (),
) -> list[str]:
    """Bring back what is not there, all of it or nothing; return the names.

    A file that is there with other contents is refused. C(uid) and C(gid) stand for the account, whatever it was.
    """
    os.makedirs(base, 0o755, exist_ok=True)
    # Beside its final place, so that a rename is all that is left to do.
    staging = tempfile.mkdtemp(prefix=".restore-", dir=base)
    try:
        entries = unpack(path, staging, seal, required)
        present = [name for name in entries if os.path.lexists(os.path.join(base, name))]
        differing = [name for name in present if sha256_of(os.path.join(base, name)) != entries[name]["sha256"]]
        if differing:
            raise ArchiveError(
                f"{base} already has {', '.join(sorted(differing)[:5])}, with other contents. Nothing was brought back."
                " Restore to a fresh host, or remove what is there first."
            )
        wanted = sorted(set(entries) - set(present))
        for name in wanted:
            entry = entries[name]
            if os.geteuid() == 0:
                owner = (uid, gid) if entry["account"] and uid is not None and gid is not None else (0, 0)
                os.chown(os.path.join(staging, name), *owner)
            os.chmod(os.path.join(staging, name), entry["mode"])
        for name in wanted:
            _make_folders(base, os.path.dirname(name), entries[name], uid, gid)
            os.rename(os.path.join(staging, name), os.path.join(base, name))
        return wanted
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _expect(required: t.Iterable[str], there: t.Container[str], place: str) -> None:
    """Raise ArchiveError unless all that is required is there."""
    if lacking := [name for name in required if name not in there]:
        raise ArchiveError(f"{place} lacks {', '.join(lacking)}.")


def _files(base: str, name: str) -> t.Iterator[str]:
    """Return the regular files at or below a name; a link could lead anywhere."""
    path = os.path.join(base, name)
    if os.path.isfile(path) and not os.path.islink(path):
        yield name
    for folder, _folders, names in os.walk(path):
        for found in names:
            whole = os.path.join(folder, found)
            with suppress(FileNotFoundError):
                if stat.S_ISREG(os.lstat(whole).st_mode):
                    yield os.path.relpath(whole, base)


def _add(archive: tarfile.TarFile, name: str, path: str, about: os.stat_result) -> dict[str, t.Any]:
    if path.endswith("copy.db"):
        with open(path, "rb") as stream:
            archive.addfile(_info(name, os.path.getsize(path)), stream)
        digest = sha256_of(path)
    else:
        with open(path, "rb") as stream:
            content = stream.read()  # whole, as a file that grows has another size a moment later
        archive.addfile(_info(name, len(content)), io.BytesIO(content))
        digest = hashlib.sha256(content).hexdigest()
    return {"sha256": digest, "mode": stat.S_IMODE(about.st_mode), "account": about.st_uid != 0}


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def _unpack_one(archive: tarfile.TarFile, member: tarfile.TarInfo, target: str) -> None:
    parts = member.name.split("/")
    if not member.isreg() or member.name.startswith("/") or {"", ".", ".."} & set(parts):
        raise ArchiveError(f"The archive is not one of ours: it has {member.name!r}.")
    path = os.path.join(target, *parts)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    source = archive.extractfile(member)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        shutil.copyfileobj(source, stream, _CHUNK)
        os.fsync(stream.fileno())


def _make_folders(base: str, folder: str, entry: t.Mapping[str, t.Any], uid: int | None, gid: int | None) -> None:
    """Make the folders of a file that are not there, for the account that the file belongs to."""
    path = base
    for part in filter(None, folder.split("/")):
        path = os.path.join(path, part)
        if not os.path.isdir(path):
            os.mkdir(path, 0o750)
            if os.geteuid() == 0 and uid is not None and gid is not None and entry["account"]:
                os.chown(path, uid, gid)
