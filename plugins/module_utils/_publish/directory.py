# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models in a directory of the controller, each in a folder of its own that is there whole or not at all.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile

from .._base.jsonable import loads
from .._base.reading import sha256_of
from .._delivery.contents import LONGEST_MANIFEST, PACKAGE_MANIFEST
from .._storage.probe import sync
from .destinations import PackageManifest, is_same_package
from .gate import PublishError

_ARRIVING = ".publishing-"


class PublishedDirectory:
    """A directory."""

    def __init__(self, path: str) -> None:
        self._path = path

    def obstacle(self) -> str:
        there = self._path
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        try:
            os.rmdir(tempfile.mkdtemp(prefix=_ARRIVING, dir=there))
        except OSError as error:
            return f"{self._path} cannot be written: {error.strerror}."
        return ""

    def place(self, manifest: PackageManifest) -> str:
        return os.path.join(self._path, manifest["package"])

    def holds(self, manifest: PackageManifest) -> bool:
        folder = self.place(manifest)
        if not os.path.lexists(folder):
            return False
        try:
            with open(os.path.join(folder, PACKAGE_MANIFEST), "rb") as stream:
                found = loads(stream.read(LONGEST_MANIFEST))
            good = is_same_package(found, manifest) and all(
                _sha256(os.path.join(folder, entry["name"])) == entry.get("sha256") for entry in found["files"]
            )
        except (OSError, ValueError):
            good = False
        if not good:
            raise PublishError(
                f"{folder} is there already and is not what would be published. Remove it, and publish again."
            )
        return True

    def put(self, folder: str, manifest: PackageManifest) -> None:
        os.makedirs(self._path, exist_ok=True)
        work = tempfile.mkdtemp(prefix=_ARRIVING, dir=self._path)
        try:
            for name in [*(entry["name"] for entry in manifest["files"]), PACKAGE_MANIFEST]:
                shutil.copyfile(os.path.join(folder, name), os.path.join(work, name))
            os.chmod(work, 0o755)
            sync(work)
            os.rename(work, self.place(manifest))
            sync(self._path)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            raise


def _sha256(path: str) -> str:
    with open(path, "rb") as stream:
        return sha256_of(stream, os.fstat(stream.fileno()).st_size)
