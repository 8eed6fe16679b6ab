# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a virtual environment from a hashed lock.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from typing import Any

from .._base.errors import FedopsError
from .releases import RELEASE_MARKER

PYTHON_MINIMUM = (3, 11)  # the oldest that Flower supports; the lock is compiled for it
_STEP_TIMEOUT = 1800  # seconds; a slow mirror and a lock with PyTorch in it


class VenvError(FedopsError):
    """The environment cannot be built; the message ends with what the failing program said."""


@dataclass(frozen=True)
class Python:
    """An interpreter of the host that Flower can use."""

    path: str
    version: str
    has_pip: bool  # whether it can make an environment with pip in it


class Venv:
    """Builds environments with an interpreter. The lock of each lies in it, written as the last step."""

    def __init__(self, python: str, index_url: str | None = None, offline: bool = False) -> None:
        self.python = python
        self.index_url = index_url
        self.offline = offline

    def look_at_python(self) -> Python:
        """Refuse an interpreter that is too old or missing; tell what there is to know of another."""
        question = "import sys, importlib.util as u; print(*sys.version_info[:2], u.find_spec('ensurepip') is not None)"
        try:
            major, minor, has_pip = _run([self.python, "-c", question], "/").split()
        except VenvError:
            raise _unsupported(self.python, "cannot be run on this host") from None
        if (int(major), int(minor)) < PYTHON_MINIMUM:
            raise _unsupported(self.python, f"is Python {major}.{minor}")
        return Python(self.python, f"{major}.{minor}", has_pip == "True")

    def build(self, path: str, archive: str) -> None:
        """Make the environment that the archive's lock says, in a place where there is nothing."""
        with tempfile.TemporaryDirectory(prefix=".fedops-venv-", dir=_place_for_programs(path)) as work:
            with tarfile.open(archive) as files:
                files.extractall(work, **_extraction_filter())
            uv = self._bootstrap(work)
            _run([uv, "venv", "--no-config", "--python", self.python, path], work)
            self._sync(uv, path, work)
            # What uv has locked itself with is everybody's to write.
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(path, ".lock"))
            # Under its name at once and whole, for it says that the rest is.
            shutil.copyfile(os.path.join(work, "requirements.txt"), f"{path}/{RELEASE_MARKER}.new")
            os.chmod(f"{path}/{RELEASE_MARKER}.new", 0o644)
            os.replace(f"{path}/{RELEASE_MARKER}.new", f"{path}/{RELEASE_MARKER}")

    def _bootstrap(self, work: str) -> str:
        """Have uv for this build only; its version and hashes are as fixed as all others."""
        lock = os.path.join(work, "uv.txt")
        if self.offline:
            return _unpack_uv(os.path.join(work, "wheels"), lock, work)
        place = os.path.join(work, "bootstrap")
        _run([self.python, "-m", "venv", place], work)
        _run(
            [os.path.join(place, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--only-binary", ":all:", "--requirement", lock],
            work, PIP_INDEX_URL=self.index_url,
        )  # fmt: skip
        return os.path.join(place, "bin", "uv")

    def _sync(self, uv: str, path: str, work: str) -> None:
        # The service account cannot write bytecode later, and Flower starts a process per message.
        # The cache goes with the build, and what was linked from it stays. Between file systems uv copies instead.
        wheels = ["--offline", "--no-index", "--find-links", os.path.join(work, "wheels")] if self.offline else []
        _run(
            [uv, "pip", "sync", "--no-config", "--system-certs", "--quiet", "--require-hashes", "--compile-bytecode",
             "--link-mode", "hardlink", "--cache-dir", os.path.join(work, "cache"),
             "--python", os.path.join(path, "bin", "python"), *wheels, os.path.join(work, "requirements.txt")],
            work, UV_DEFAULT_INDEX=self.index_url,
        )  # fmt: skip


def _place_for_programs(path: str) -> str:
    """Return where temporary programs can run: beside what is built where that of temporary files is mounted noexec."""
    usual = tempfile.gettempdir()
    return os.path.dirname(path) if os.statvfs(usual).f_flag & os.ST_NOEXEC else usual


def _unpack_uv(wheels: str, lock: str, directory: str) -> str:
    """Take uv out of its wheel, which is a program in an archive: that needs no pip, and a tenth of its time."""
    with open(lock, encoding="utf-8") as file:
        hashes = set(re.findall(r"sha256:([0-9a-f]{64})", file.read()))
    fitting = [path for path in sorted(glob.glob(os.path.join(glob.escape(wheels), "uv-*.whl"))) if _runs_here(path)]
    for path in fitting:
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() not in hashes:
                continue
        with zipfile.ZipFile(path) as wheel:
            program = next(name for name in wheel.namelist() if name.endswith(".data/scripts/uv"))
            target = os.path.join(directory, "uv")
            with wheel.open(program) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file)
        os.chmod(target, 0o755)
        return target
    found = ", ".join(map(os.path.basename, fitting)) or "none"
    raise VenvError(
        f"runtime_wheelhouse has no wheel of uv for {platform.machine()} with a hash of the lock (found: {found})."
        " Fill it with what uv.txt of the role fedops.flower.runtime lists, on a machine like this host."
    )


def _runs_here(wheel: str) -> bool:
    """Tell by the name of a wheel whether it is for this machine."""
    platforms = os.path.basename(wheel)[: -len(".whl")].split("-")[-1].split(".")
    machine = platform.machine()
    return any(
        name == "any" or (name.startswith(("manylinux", "linux")) and name.endswith(f"_{machine}"))
        for name in platforms
    )


def _unsupported(python: str, what: str) -> VenvError:
    minimum = ".".join(map(str, PYTHON_MINIMUM))
    return VenvError(
        f"runtime_python is {python}, which {what}, but Flower needs Python {minimum} or newer."
        " Use Debian 12 or Ubuntu 24.04 or newer, or install a newer Python with its venv module and set runtime_python"
        " to it."
    )


def _extraction_filter() -> dict[str, Any]:
    """Pick the strict filter where this Python knows it."""
    return {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def _run(command: list[str], directory: str, **variables: str | None) -> str:
    environment = {**os.environ, **{name: value for name, value in variables.items() if value}}
    # Read by everybody, written by root, whatever umask this process was given.
    environment.setdefault("LC_ALL", "C.UTF-8")
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", 'umask 022; exec "$@"', "sh", *command],
            cwd=directory, env=environment, capture_output=True, text=True, timeout=_STEP_TIMEOUT, check=False,
        )  # fmt: skip
    except OSError as error:
        raise VenvError(f"{command[0]} cannot be started: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise VenvError(f"'{' '.join(command[:3])}' took longer than {_STEP_TIMEOUT} s.") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
        raise VenvError(f"'{' '.join(command[:3])}' failed with exit status {done.returncode}:\n" + "\n".join(said))
    return done.stdout
