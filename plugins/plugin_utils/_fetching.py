# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions that fetch files from a host, and write files on the controller.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import os
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any

from ansible.errors import AnsibleActionFail
from ansible_collections.fedops.flower.plugins.module_utils._config.table import BY_NAME
from ansible_collections.fedops.flower.plugins.module_utils._config.values import BadValue, parse

SPARE = 256 << 20  # bytes that are left to others on the disk of the controller


class ModuleFailedError(Exception):
    """The module has failed; its answer, the only argument, is the task's."""


def fetched(ask: Callable[[int], object], limit: int, too_much: Exception) -> Iterator[bytes]:
    """Yield a file piece by piece, of so many bytes at most together, whatever the host sends.

    C(ask) returns the piece at an offset in bytes as base64, an empty one at the end.
    """
    offset = 0
    while piece := b64decode(str(ask(offset))):
        offset += len(piece)
        if offset > limit:
            raise too_much
        yield piece


def expect_room(directory: str, size: int) -> None:
    """Refuse what a host would send when the controller has no room for so many bytes, and for others."""
    there = os.statvfs(directory)
    # Some file systems do not tell how large they are.
    if there.f_blocks and (free := there.f_bavail * there.f_frsize) < size + SPARE:
        raise AnsibleActionFail(
            f"{directory} has no room for {size} bytes: {free} are free, of which {SPARE} are left to others."
        )


@contextmanager
def arriving(dest: str) -> Iterator[IO[bytes]]:
    """Give a new file, to be written and read, that takes a place when all went well, and else leaves nothing."""
    descriptor, path = tempfile.mkstemp(prefix=".arriving-", dir=os.path.dirname(dest))
    try:
        with open(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        os.rename(path, dest)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)


def training_asked(arguments: Mapping[str, Any]) -> str:
    """Return the name of the training, which files are called by: not what the host says of it."""
    try:
        return str(parse(BY_NAME["training_name"], arguments.get("training") or "default"))
    except BadValue as bad:
        raise AnsibleActionFail(f"training {bad}.") from bad
