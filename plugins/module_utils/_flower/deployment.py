# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a Flower app in place on the SuperLink host and building its FAB.

All of it is root's, and nobody else can write where it lies: what an app or its author says never names a file of the
host.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import typing as t

from .._base import guarded
from .._base.errors import FedopsError
from .._base.layout import folder
from .._base.records import write_object
from .app import APP_NAME, MOST_APP_FILES, MOST_BYTES, is_inside
from .app_kit import missing_of_kit
from .app_record import read_record, record_path
from .assumptions import FAB_LIMIT, SHORT_HASH
from .building import Build, Builder, BuildError
from .fab import FabError, Installation, digest_of, files_below, write_files
from .pinned import pinned_hashes


class DeploymentError(FedopsError):
    """The app cannot be put in place; the message says why and that the old one still stands."""


class AppDeployment:
    """The app C(name) below C(<home>/app): its folder, its FAB, and a record that ties the two together."""

    def __init__(self, home: str, name: str, build: Build | None = None) -> None:
        if not isinstance(name, str) or not APP_NAME.fullmatch(name):
            raise DeploymentError(f"The app is called {str(name)[:100]!r} but its name must match {APP_NAME.pattern}.")
        self.home, self.root = home, folder(home, "app")
        self.name = name
        self.path = os.path.join(self.root, name)
        self.record_path = record_path(home, name)
        self.build = build or Builder(home)

    def ensure(self, checksum: str, archive: str | None, check_mode: bool = False) -> dict[str, t.Any]:
        """Deploy the source with digest C(checksum); ask for its archive when it is needed and not given."""
        try:
            self._refuse_a_home_of_before()
            record = self.record
            if record and record["checksum"] == checksum == digest_of(self._files()):
                repaired = self._install(record, self._fab(record), check_mode)
                return {"changed": repaired, "path": self.path, **self._told(record)}
            if check_mode:
                return {
                    "changed": True,
                    "path": self.path,
                    "diff": {"before": f"{self.name} {_short(record)}", "after": f"{self.name} {checksum[:8]}"},
                }
            if archive is None:
                return {"changed": False, "path": self.path, "needs_archive": True}
            return self._deploy(checksum, archive)
        except guarded.UnsafeFileError as error:
            raise DeploymentError(f"{error}. Nothing was deployed.") from error

    @property
    def record(self) -> dict[str, str] | None:
        """What is known of the app that is deployed; None when nothing usable is."""
        record = read_record(self.home, self.name)
        return record if record and self._fab(record) is not None else None

    def _fab(self, record: t.Mapping[str, str]) -> bytes | None:
        """Return the FAB of a record, None when it is not there or another one."""
        try:
            fab = guarded.read_bytes(os.path.join(self.root, record["fab_file"]), FAB_LIMIT, [os.geteuid()])
        except OSError:
            return None
        return fab if hashlib.sha256(fab).hexdigest() == record["fab_hash"] else None

    def _files(self) -> dict[str, bytes]:
        try:
            return files_below(self.path)
        except OSError:
            return {}

    def _refuse_a_home_of_before(self) -> None:
        """Refuse a place that another account can write."""
        for path in (self.root, os.path.dirname(self.record_path)):
            found = guarded.status(path)
            if found is None:
                raise DeploymentError(f"{path} does not exist: run the playbook fedops.flower.site first.")
            if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise DeploymentError(
                    f"{path} belongs to the user {found.st_uid} with mode {stat.S_IMODE(found.st_mode):04o}, but root"
                    " alone must be able to write it. Run the playbook fedops.flower.site first."
                )

    def _deploy(self, checksum: str, archive: str) -> dict[str, t.Any]:
        before, files = self._files(), unpack(archive)
        if digest_of(files) != checksum:
            raise DeploymentError("The archive holds other files than were announced. Nothing was deployed.")
        # In the same file system as the target, so that putting it in place is a rename.
        staging = guarded.temporary_directory(self.root, ".staging-", 0o755)
        try:
            source = os.path.join(staging, self.name)
            write_files(source, files)
            try:
                about, fab = self.build(source)
                fab_hash = hashlib.sha256(fab).hexdigest()
                record = {
                    "checksum": checksum,
                    "fab_file": about.fab_name(fab_hash),
                    "fab_hash": fab_hash,
                    "folder": about.folder(fab_hash),
                }
                installation = Installation("", "", fab)  # refuses one that could do harm, before anything is changed
                if left_out := missing_of_kit(files, installation.files):
                    raise BuildError(
                        f"its FAB lacks {left_out} of the kit. Look which pattern of fab-exclude, or of .gitignore,"
                        " leaves it out."
                    )
                if about.name != self.name:
                    raise BuildError(f"it is called {about.name}")
            except (BuildError, FabError) as error:
                raise DeploymentError(
                    f"'flwr build' refused the app {self.name}; what was deployed before still stands.\n{error}"
                ) from error
            self._put_in_place(source, fab, record, staging)
        finally:
            guarded.remove_tree(staging)
        diff = {"before": _names_and_digests(before), "after": _names_and_digests(files)}
        return {"changed": True, "path": self.path, "diff": diff, **self._told(record)}

    def _put_in_place(self, source: str, fab: bytes, record: dict[str, str], staging: str) -> None:
        """Exchange the app's folder, its FAB and its record; the old folder goes with the staging folder."""
        old = self.record
        guarded.write_bytes(os.path.join(self.root, record["fab_file"]), fab, 0o644, guarded.us())
        if guarded.status(self.path) is not None:
            guarded.rename(self.path, os.path.join(staging, "previous"))
        guarded.rename(source, self.path)
        self._install(record, fab)
        write_object(self.record_path, record, 0o644, guarded.us())
        if old and old["fab_file"] != record["fab_file"]:
            guarded.remove(os.path.join(self.root, old["fab_file"]))
        guarded.remove(f"{self.path}.json")  # the record of an earlier version, which anybody may have written
        # A run of the app before may still be under way.
        self._prune({old["folder"]} if old else set())

    def _install(self, record: t.Mapping[str, str], fab: bytes | None, check_mode: bool = False) -> bool:
        """Have the app installed for its runs; tell whether it was not, or not whole."""
        installation = Installation(os.path.join(self.root, ".flwr"), record["folder"], fab or b"")
        if installation.is_whole():
            return False
        if not check_mode:
            installation.make()
        return True

    def _prune(self, kept: set[str]) -> None:
        """Remove what is installed and belongs to no deployed app."""
        records = guarded.names(os.path.dirname(self.record_path))
        deployed = [read_record(self.home, os.path.splitext(name)[0]) for name in records]
        kept |= {record["folder"] for record in deployed if record}
        # The next run of a training is of the app that it has begun with.
        pinned = tuple(f".{fab_hash[:SHORT_HASH]}" for fab_hash in pinned_hashes(self.home))
        installed = folder(self.home, "app/.flwr/apps")
        superfluous = [name for name in guarded.names(installed) if name not in kept and not name.endswith(pinned)]
        for path in (os.path.join(installed, name) for name in superfluous):
            found = guarded.status(path)
            if found is not None and stat.S_ISDIR(found.st_mode):
                guarded.remove_tree(path)

    def _told(self, record: t.Mapping[str, str]) -> dict[str, str]:
        return {"fab_file": os.path.join(self.root, record["fab_file"]), "fab_hash": record["fab_hash"]}


def unpack(archive: str) -> dict[str, bytes]:
    """Return the files in the archive of an app; refuse what is no plain file inside of it, or too much."""
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    with tarfile.open(archive) as source:
        for member in source:
            if not member.isreg() or not is_inside(member.name) or member.name in files:
                raise DeploymentError(
                    f"The archive holds {member.name[:200]!r}, which is not a plain file inside the app."
                )
            left -= member.size
            if left < 0 or len(files) >= MOST_APP_FILES:
                raise DeploymentError(f"The archive holds more than {MOST_APP_FILES} files or {MOST_BYTES} bytes.")
            files[member.name] = t.cast("t.IO[bytes]", source.extractfile(member)).read(member.size)
    folders = {"/".join(name.split("/")[:end]) for name in files for end in range(1, name.count("/") + 1)}
    if folders.intersection(files):
        raise DeploymentError("The archive holds something that is a file and a folder.")
    return files


def _names_and_digests(files: t.Mapping[str, bytes]) -> str:
    return "".join(f"{name} {digest_of({name: files[name]})[:12]}\n" for name in sorted(files))


def _short(record: t.Mapping[str, str] | None) -> str:
    return record["checksum"][:8] if record else "(absent)"
