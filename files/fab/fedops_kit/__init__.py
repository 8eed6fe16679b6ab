# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What any Flower app can use: exact rounds, checkpoints and resume, guards against bad replies, and a history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .keeping import keep

__all__ = ["keep"]


def __getattr__(name: str) -> Any:
    """Import what a ServerApp needs when it asks: a ClientApp has no use for it, and starts for each message."""
    if name == "keep":
        from .keeping import keep

        return keep
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
