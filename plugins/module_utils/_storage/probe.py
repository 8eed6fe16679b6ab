# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Doing in a directory, as a given user, what a save of a checkpoint does.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import fcntl
import json
import os
import typing as t
from contextlib import suppress

from .._base.errors import FedopsError

PROBE = ".probe"
_PARTIAL = ".partial"

Step = tuple[str, t.Callable[[], t.Any]]


class StepError(FedopsError):
    """A step has failed: what it was, and the number of the error."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(step)
        self.step = step
        self.number = number


def as_user(uid: int, gid: int, work: t.Callable[[], t.Any]) -> t.Any:
    """Do work in a process that has given up everything else, and return what it returns, or raise its StepError.

    A server decides by the user that a request carries, so root has to become that user for good.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)
            os.write(writer, json.dumps(_outcome(work)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as stream:
        said = stream.read()
    os.waitpid(child, 0)
    if not said:
        raise StepError("become the user", 1)
    outcome = json.loads(said.decode())
    if "step" in outcome:
        raise StepError(outcome["step"], outcome["number"])
    return outcome["value"]


def _outcome(work: t.Callable[[], t.Any]) -> dict[str, t.Any]:
    try:
        return {"value": work()}
    except StepError as error:
        return {"step": error.step, "number": error.number}
    except OSError as error:
        return {"step": "work", "number": error.errno or 5}


def probe(directory: str) -> list[str]:
    """Take every step of a save; return the steps, or raise StepError at the first that fails."""
    path = os.path.join(directory, f"{PROBE}-{os.getpid()}")
    temporary, link = path + _PARTIAL, path + "-link"
    descriptors: list[int] = []
    steps: list[Step] = [
        ("list files", lambda: os.listdir(directory)),
        ("create a file", lambda: descriptors.append(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640))),
        ("write", lambda: os.write(descriptors[0], b"checkpoint" * 1000)),
        ("fsync a file", lambda: os.fsync(descriptors[0])),
        ("lock a file", lambda: fcntl.flock(descriptors[0], fcntl.LOCK_EX | fcntl.LOCK_NB)),
        ("rename a file", lambda: os.rename(temporary, path)),
        ("make a symbolic link", lambda: os.symlink(os.path.basename(path), temporary)),
        ("rename a symbolic link", lambda: os.rename(temporary, link)),
        ("make a hard link", lambda: os.link(path, temporary)),
        ("fsync the directory", lambda: sync(directory)),
        ("read", lambda: _expect(link)),
        ("remove a file", lambda: _remove(temporary, link, path)),
    ]
    try:
        for name, take in steps:
            try:
                take()
            except OSError as error:
                raise StepError(name, error.errno or 5) from None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
        for leftover in (temporary, link, path):
            with suppress(OSError):
                os.unlink(leftover)
    return [name for name, dummy in steps]


def sync(path: str) -> None:
    """Make a file, or the names in a directory, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(*paths: str) -> None:
    for path in paths:
        os.unlink(path)


def _expect(path: str) -> None:
    with open(path, "rb") as stream:
        if stream.read() != b"checkpoint" * 1000:
            raise OSError(5, "what was read is not what was written")
