# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing a FAB where Flower looks for the app of a run: whole, or not at all.

Flower does it by itself when the first run of the app begins, one file after the other, and takes a folder that is
there for complete. A ServerApp that is killed in between would leave an app that no later run can start.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile

from ._flwr import as_service_account

_ABOUT = ".info/"  # what Flower checks a FAB by, and does not install


class Installation:
    """The app of one FAB below C(FLWR_HOME)."""

    def __init__(self, flwr_home: str, fab_file: str) -> None:
        publisher, name, version, digest = os.path.basename(fab_file)[: -len(".fab")].split(".")
        self.fab_file = fab_file
        self.parent = os.path.join(flwr_home, "apps")
        self.path = os.path.join(self.parent, ".".join([publisher, name, version.replace("-", "."), digest]))

    def is_whole(self) -> bool:
        """Tell whether every file of the FAB is there, with its bytes."""
        with as_service_account(), zipfile.ZipFile(self.fab_file) as fab:
            return all(self._has(name, fab.read(name)) for name in _files(fab))

    def make(self) -> None:
        """Install the app, in place of what is there."""
        with as_service_account():
            os.makedirs(self.parent, 0o700, exist_ok=True)
            staging = tempfile.mkdtemp(prefix=".staging-", dir=self.parent)
            try:
                app = os.path.join(staging, "app")
                _unpack(self.fab_file, app)
                if os.path.lexists(self.path):
                    os.rename(self.path, os.path.join(staging, "previous"))
                os.rename(app, self.path)
            finally:
                shutil.rmtree(staging, ignore_errors=True)

    def _has(self, name: str, content: bytes) -> bool:
        try:
            with open(os.path.join(self.path, name), "rb") as stream:
                return stream.read() == content
        except OSError:
            return False


def _files(fab: zipfile.ZipFile) -> list[str]:
    return [name for name in fab.namelist() if not name.endswith("/") and not name.startswith(_ABOUT)]


def _unpack(fab_file: str, target: str) -> None:
    """Unpack a FAB so that its files survive a power failure."""
    with zipfile.ZipFile(fab_file) as fab:
        for name in _files(fab):
            with open(fab.extract(name, target), "rb+") as stream:
                os.fsync(stream.fileno())
