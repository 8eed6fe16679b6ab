# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies of ClientApps that die before all of a reply is there.

The launcher of the SuperNode has a copy of the part below.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
from typing import Any

# begin: replies
MISSED = 60.0  # seconds without a piece of a reply; Flower misses a ClientApp that says nothing after as many
_TAKES = ("state", "object_store", "send", "push_object")  # what Flower's function that sends replies takes


class Awaited:
    """A store of pieces, in which those of a reply are waited for only while some come."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._waits: float | None = None  # since when

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get(self, object_id: str) -> bytes | None:
        """Return a piece, or nothing while it is still to come."""
        content: bytes | None = self._store.get(object_id)
        now = time.monotonic()
        self._waits = None if content != b"" else now if self._waits is None else self._waits
        if self._waits is not None and now - self._waits > MISSED:
            raise TimeoutError(f"its ClientApp has sent no more of it for {MISSED:g} s, and is taken for dead")
        return content


def await_pieces(module: str, name: str) -> None:
    """Have a function of Flower that sends replies give up what no ClientApp sends, where it is the one we know."""
    found = importlib.import_module(module)
    push = getattr(found, name, None)
    if push is None or tuple(inspect.signature(push).parameters) != _TAKES:
        sys.stderr.write(f"This release of Flower sends replies in another way ({module}). That is left to it.\n")
        return

    def pushed(state: Any, object_store: Any, send: Any, push_object: Any) -> None:
        push(state, Awaited(object_store), send, push_object)

    vars(found)[name] = pushed


# end: replies
