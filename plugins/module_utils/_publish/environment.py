# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments of the controller for libraries of others, each built once from a lock with hashes.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t

from .gate import PublishError

_PATIENCE = 1800  # seconds for an environment


def python_with(lock: str, directory: str, wheelhouse: str = "", index_url: str = "") -> str:
    """Return the Python of an environment that has what a lock lists; make it where it is not there yet."""
    with open(lock, "rb") as stream:
        digest = hashlib.sha256(stream.read() + sys.version.encode()).hexdigest()[:16]
    name = os.path.splitext(os.path.basename(lock))[0]
    target = os.path.join(directory, f"{name}-{digest}")
    python = os.path.join(target, "bin", "python")
    if os.path.exists(python):
        return python
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        work = tempfile.mkdtemp(prefix=f".{name}-", dir=directory)
    except OSError as error:
        raise PublishError(
            f"publish_environments is {directory}, which cannot be written: {error.strerror}. Name another directory of"
            " the controller, or set publish_python to a Python that has the library."
        ) from error
    try:
        _run([sys.executable, "-I", "-m", "venv", work])
        _install(os.path.join(work, "bin", "python"), lock, wheelhouse, index_url)
        os.rename(work, target)
    except OSError as error:
        if not os.path.exists(python):  # else another play has made it meanwhile
            raise PublishError(f"{target} cannot be made: {error.strerror}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return python


def _install(python: str, lock: str, wheelhouse: str, index_url: str) -> None:
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", lock]
    source = ["--no-index", "--find-links", wheelhouse] if wheelhouse else []
    # An index may hold a password: in the environment it is in no list of processes.
    environment = {**os.environ, **({"PIP_INDEX_URL": index_url} if index_url else {})}
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *source, *options]
    _run(command, environment)


def _run(command: t.Sequence[str], environment: t.Mapping[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PATIENCE, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PublishError(_cannot(str(error))) from error
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PublishError(_cannot(words[-1] if words else f"it ended with {done.returncode}"))


def _cannot(why: str) -> str:
    return (
        f"The library of the place to publish in cannot be installed on the controller: {why.rstrip('.')}. It needs pip"
        " and venv, and an index or publish_wheelhouse; or set publish_python to a Python that has the library."
    )
