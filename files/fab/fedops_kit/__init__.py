# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What any Flower app can use: exact rounds, checkpoints and resume, guards against bad replies, and a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .keeping import keep
    from .packing import packed

__all__ = ["keep", "packed"]


def __getattr__(name: str) -> Any:
    """Import what an app asks for, and no more: a ClientApp has no use for ``keep``, and starts for each message."""
    if name == "keep":
        from .keeping import keep

        return keep
    if name == "packed":
        from .packing import packed

        return packed
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
