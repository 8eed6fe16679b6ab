# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A FAB: what it may hold, and installing it where Flower looks for the app of a run, whole or not at all.

Flower does it by itself when the first run of the app begins, one file after the other, and takes a folder that is
there for complete. A ServerApp that is killed in between would leave an app that no later run can start. Here root does
it, where ServerApps can only read.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import typing as t
import zipfile
import zlib
from dataclasses import dataclass

from .._base import guarded
from .._base.errors import FedopsError
from .app import APP_NAME, MOST_APP_FILES, MOST_BYTES, PUBLISHER, VERSION, is_inside
from .assumptions import APPS_FOLDER, FAB_INFO, SHORT_HASH


class FabError(FedopsError):
    """What should be a FAB is none, or one that could do harm."""


@dataclass(frozen=True)
class About:
    """What an app is called."""

    publisher: str
    name: str
    version: str

    @classmethod
    def of(cls, found: t.Any) -> About:
        """Return it from an object, of which nothing is believed."""
        rules = {"publisher": PUBLISHER, "name": APP_NAME, "version": VERSION}
        for key, rule in rules.items():
            value = found.get(key) if isinstance(found, dict) else None
            if not isinstance(value, str) or not rule.fullmatch(value):
                raise FabError(f"The {key} of the app is {str(value)[:100]!r} but must match {rule.pattern}.")
        return cls(*(found[key] for key in rules))

    def fab_name(self, fab_hash: str) -> str:
        """Return the name of the FAB, as Flower has it."""
        return ".".join([self.publisher, self.name, self.version.replace(".", "-"), fab_hash[:SHORT_HASH], "fab"])

    def folder(self, fab_hash: str) -> str:
        """Return the name of the folder that the app is installed in, as Flower has it."""
        return ".".join([self.publisher, self.name, self.version, fab_hash[:SHORT_HASH]])


def contents(fab: bytes) -> dict[str, bytes]:
    """Return the files of a FAB; raise FabError when it could write anywhere else, or without an end."""
    try:
        with zipfile.ZipFile(io.BytesIO(fab)) as archive:
            members = archive.infolist()
            _refuse(members)
            return {member.filename: _read(archive, member) for member in members if not _is_left_out(member)}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        OSError,
    ) as error:
        raise FabError(f"The FAB cannot be read: {error}.") from error


def _refuse(members: t.Sequence[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not is_inside(member.filename.rstrip("/")) or kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise FabError(f"The FAB holds {member.filename[:200]!r}, which is no plain file inside the app.")
    if len(set(names)) != len(names):
        raise FabError("The FAB holds a file twice.")
    folders = {"/".join(name.split("/")[:end]) for name in names for end in range(1, name.count("/") + 1)}
    if folders.intersection(names):
        raise FabError("The FAB holds something that is a file and a folder.")
    total = sum(member.file_size for member in members)
    if len(members) > MOST_APP_FILES or total > MOST_BYTES:
        raise FabError(f"The FAB unpacks to {len(members)} files with {total} bytes.")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:
        content = stream.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise FabError(f"{member.filename} of the FAB has another size than it says.")
    return content


def _is_left_out(member: zipfile.ZipInfo) -> bool:
    return member.filename.endswith("/") or member.filename.startswith(FAB_INFO)


class Installation:
    """The app of one FAB below C(FLWR_HOME), where root alone writes."""

    def __init__(self, flwr_home: str, folder: str, fab: bytes) -> None:
        self.parent = os.path.join(flwr_home, APPS_FOLDER)
        self.path = os.path.join(self.parent, folder)
        self.files = contents(fab)

    def is_whole(self) -> bool:
        """Tell whether exactly the files of the FAB are there, and nobody else can have written them."""
        try:
            return files_below(self.path) == self.files
        except OSError:
            return False

    def make(self) -> None:
        """Install the app, in place of what is there."""
        for path in (os.path.dirname(self.parent), self.parent):
            guarded.make_directory(path, 0o755, guarded.us())
        staging = guarded.temporary_directory(self.parent, ".staging-", 0o755)
        try:
            write_files(os.path.join(staging, "app"), self.files)
            if guarded.status(self.path) is not None:
                guarded.rename(self.path, os.path.join(staging, "previous"))
            guarded.rename(os.path.join(staging, "app"), self.path)
        finally:
            guarded.remove_tree(staging)


def write_files(path: str, files: t.Mapping[str, bytes]) -> None:
    """Make a folder with these files, which everybody can read. They survive a power failure."""
    guarded.make_directory(path, 0o755, guarded.us())
    made = {""}
    for name, content in files.items():
        parts = name.split("/")
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            if folder not in made:
                guarded.make_directory(os.path.join(path, folder), 0o755, guarded.us())
                made.add(folder)
        guarded.write_bytes(os.path.join(path, name), content, 0o644, guarded.us())


def files_below(path: str, most: int = MOST_BYTES) -> dict[str, bytes]:
    """Return every file below a folder; raise OSError when one is not ours or root's, no file, or too much."""
    found: dict[str, bytes] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        here = os.path.join(path, folder)
        with guarded.directory(here) as descriptor:
            _refuse_foreign(here, os.fstat(descriptor))
            names = os.listdir(descriptor)
        for name in names:
            relative = f"{folder}/{name}".lstrip("/")
            full = os.path.join(path, relative)
            status = guarded.status(full)
            if status is not None and stat.S_ISDIR(status.st_mode):
                folders.append(relative)
                continue
            with guarded.regular_file(full, most, (guarded.ROOT, os.geteuid())) as stream:
                _refuse_foreign(full, os.fstat(stream.fileno()))
                found[relative] = stream.read(most)
            most -= len(found[relative])
    return found


def digest_of(files: t.Mapping[str, bytes]) -> str:
    """Return what C(app.digest) returns for files that hold this."""
    return digest_of_hashes({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})


def digest_of_hashes(hashes: t.Mapping[str, str]) -> str:
    """Return it for files that have these hashes."""
    total = hashlib.sha256()
    for name in sorted(hashes):
        total.update(f"{name}\0{hashes[name]}\n".encode())
    return total.hexdigest()


def _refuse_foreign(path: str, status: os.stat_result) -> None:
    if status.st_uid not in (guarded.ROOT, os.geteuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise guarded.UnsafeFileError(path, "can be written by others")
