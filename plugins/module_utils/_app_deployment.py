# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a Flower app in place on the SuperLink host and building its FAB.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import Any

from ._app import digest, source_files
from ._fab import Installation
from ._flwr import FlwrMissingError

BUILD_TIMEOUT = 120  # seconds; a build takes about two


class DeploymentError(Exception):
    """The app cannot be put in place; the message says why and that the old one still stands."""


class AppDeployment:
    """The app ``name`` below ``<home>/app``: its folder, its FAB, and a record that ties the two together."""

    def __init__(self, home: str, name: str) -> None:
        self.flwr = os.path.join(home, "venv", "bin", "flwr")
        self.root = os.path.join(home, "app")
        self.name = name
        self.path = os.path.join(self.root, name)
        self.record_path = f"{self.path}.json"

    def ensure(self, checksum: str, archive: str | None, check_mode: bool = False) -> dict[str, Any]:
        """Deploy the source with digest ``checksum``; ask for its archive when it is needed and not given."""
        record = self._record()
        if record and record["checksum"] == checksum == digest(source_files(self.path)):
            repaired = self._install(record["fab_file"], check_mode)
            return {"changed": repaired, "path": self.path, **_fab(record)}
        if check_mode:
            return {
                "changed": True,
                "path": self.path,
                "diff": {"before": f"{self.name} {_short(record)}", "after": f"{self.name} {checksum[:8]}"},
            }
        if archive is None:
            return {"changed": False, "path": self.path, "needs_archive": True}
        return self._deploy(checksum, archive)

    def _record(self) -> dict[str, Any] | None:
        try:
            with open(self.record_path, encoding="utf-8") as file:
                record = json.load(file)
        except (OSError, ValueError):
            return None
        usable = isinstance(record, dict) and {"checksum", "fab_file", "fab_hash"} <= set(record)
        return record if usable and os.path.isfile(record["fab_file"]) else None

    def _deploy(self, checksum: str, archive: str) -> dict[str, Any]:
        if not os.path.isdir(self.root):
            raise DeploymentError(f"{self.root} does not exist: run the role fedops.flower.runtime on this host first.")
        before = _names_and_digests(self.path)
        # In the same file system as the target, so that putting it in place is a rename.
        staging = tempfile.mkdtemp(prefix=".staging-", dir=self.root)
        try:
            source = os.path.join(staging, self.name)
            _unpack(archive, source)
            fab = self._build(source, staging)
            with open(fab, "rb") as file:
                fab_hash = hashlib.sha256(file.read()).hexdigest()
            after = _names_and_digests(source)
            fab_file = self._put_in_place(source, fab, staging)
            self._install(fab_file)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        record = {"checksum": checksum, "fab_file": fab_file, "fab_hash": fab_hash}
        _write_json(self.record_path, record)
        return {"changed": True, "path": self.path, "diff": {"before": before, "after": after}, **_fab(record)}

    def _build(self, source: str, staging: str) -> str:
        environment = {
            **os.environ,
            "COLUMNS": "1000",  # rich folds what it says at this width
            "FLWR_HOME": staging,
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
        }
        try:
            done = subprocess.run(
                [self.flwr, "build", "--app", source],
                cwd=staging, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise DeploymentError(
                f"{self.flwr} does not exist: run the role fedops.flower.runtime on this host first."
            ) from None
        except subprocess.TimeoutExpired:
            raise DeploymentError(f"'flwr build' of {self.name} took longer than {BUILD_TIMEOUT} s.") from None
        built = glob.glob(os.path.join(staging, "*.fab"))
        if done.returncode != 0 or len(built) != 1:
            said = _plain(done.stderr) or _plain(done.stdout)
            raise DeploymentError(
                f"'flwr build' refused the app {self.name}; what was deployed before still stands.\n{said}"
            )
        return built[0]

    def _put_in_place(self, source: str, fab: str, staging: str) -> str:
        """Exchange the app's folder and its FAB; the old ones go with the staging folder."""
        old = self._record()
        fab_file = os.path.join(self.root, os.path.basename(fab))
        os.chmod(fab, 0o644)
        os.replace(fab, fab_file)
        if os.path.exists(self.path):
            os.rename(self.path, os.path.join(staging, "previous"))
        os.rename(source, self.path)
        if old and old["fab_file"] != fab_file:
            os.unlink(old["fab_file"])
        return fab_file

    def _install(self, fab_file: str, check_mode: bool = False) -> bool:
        """Have the app installed for its runs; tell whether it was not, or not whole."""
        installation = Installation(os.path.join(self.root, ".flwr"), fab_file)
        try:
            if installation.is_whole():
                return False
            if not check_mode:
                installation.make()
        except FlwrMissingError as error:
            raise DeploymentError(str(error)) from error
        return True


def _plain(said: str) -> str:
    """What a command said without the frame that rich draws around it, its last fifteen lines."""
    lines = (line.strip("╭╮╰╯─│ ") for line in said.splitlines())
    return "\n".join([line for line in lines if line not in ("", "Error")][-15:])


def _unpack(archive: str, target: str) -> None:
    os.mkdir(target)
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            path = os.path.normpath(os.path.join(target, member.name))
            if not (member.isfile() and path.startswith(target + os.sep)):
                raise DeploymentError(f"The archive holds {member.name}, which is not a plain file inside the app.")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                shutil.copyfileobj(source.extractfile(member), file)
            os.chmod(path, 0o644)
    for folder, _folders, _files in os.walk(target):
        os.chmod(folder, 0o755)  # whatever root's umask is: the service account reads the app


def _names_and_digests(path: str) -> str:
    files = source_files(path)
    return "".join(f"{name} {digest({name: full})[:12]}\n" for name, full in files.items())


def _write_json(path: str, content: dict[str, Any]) -> None:
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    os.replace(f"{path}.tmp", path)


def _fab(record: dict[str, Any]) -> dict[str, str]:
    return {"fab_file": record["fab_file"], "fab_hash": record["fab_hash"]}


def _short(record: dict[str, Any] | None) -> str:
    return record["checksum"][:8] if record else "(absent)"
