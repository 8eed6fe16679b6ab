# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The room that a training needs: memory for the processes of Flower, and storage for what retention keeps.

What the memory is made of was measured (C(benchmarks/model_size.py)); a test holds it against the results.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MEGABYTE = 10**6


# Flower sends a model in pieces, a bounded number at a time: what is in flight grows with the model only up to here.
PIECES = 130 * MEGABYTE

# What the gateway lets through to the SuperLink at a time, read and parsed.
STRANGERS = 128 * 2 * 7 * MEGABYTE


@dataclass(frozen=True)
class Need:
    """The memory of one process at its peak: some of its own, what it holds of the model, and what is in flight."""

    process: str
    own: int  # bytes
    held: float = 0.0  # times the model, whatever the number of replies
    held_per_reply: float = 0.0  # times the model, for every reply to a round
    flying: float = 0.0  # times the model, or PIECES where the model is larger
    flying_per_reply: float = 0.0

    def peak(self, model: int, replies: int = 0) -> int:
        """Return the bytes."""
        alone = model * self.held + min(model, PIECES) * self.flying
        return self.own + math.ceil(alone + replies * self.per_reply(model))

    def per_reply(self, model: int) -> float:
        """Return the bytes that one more reply to a round takes."""
        return model * self.held_per_reply + min(model, PIECES) * self.flying_per_reply


# A tenth more than was measured; of the ServerApp as much as where no reply has room on the disk.
SUPERLINK_NEEDS = (
    Need("SuperLink", 195 * MEGABYTE, flying=3.4, flying_per_reply=1.7),
    Need("SuperExec", 145 * MEGABYTE),
    Need("ServerApp", 165 * MEGABYTE, held=4.0, held_per_reply=1.0, flying=1.0, flying_per_reply=0.3),
)
SUPERNODE_NEEDS = (
    Need("SuperNode", 165 * MEGABYTE, held=1.1, flying=2.8),
    Need("SuperExec", 145 * MEGABYTE),
    Need("ClientApp", 155 * MEGABYTE, held=2.2, flying=0.9),
)


@dataclass(frozen=True)
class Room:
    """What is known of a training's model and of the SuperLink host, in bytes."""

    model: int  # the model's arrays
    memory: int  # of the host
    storage: int | None = None  # free in the checkpoint directory, with what this training holds there already

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Room | None:
        """Return what a host says of itself; None when it does not know the size of the model."""
        model, memory, storage = (given.get(name) for name in ("model", "memory", "storage"))
        return cls(int(model), int(memory), None if storage is None else int(storage)) if model and memory else None


def memory_needed(model: int, replies: int) -> int:
    """Return the bytes that the SuperLink host needs when so many SuperNodes reply to a round."""
    return _together(SUPERLINK_NEEDS, model, replies)


def client_memory_needed(model: int) -> int:
    """Return the bytes that a SuperNode host needs, beyond what the training itself takes."""
    return _together(SUPERNODE_NEEDS, model, 0)


def superlink_bound(supernodes: int) -> int:
    """Return the bytes that the SuperLink is held to: a quarter more than any model takes, and what strangers send.

    A request is read before its signature, and the gateway lets so many of them through at a time.
    """
    largest = SUPERLINK_NEEDS[0].peak(PIECES, max(2, supernodes))
    return math.ceil(largest * 1.25) + STRANGERS


def replies_possible(model: int, memory: int) -> int:
    """Return how many replies to a round the memory of the SuperLink host suffices for."""
    each = sum(need.per_reply(model) for need in SUPERLINK_NEEDS)
    possible = max(0, int((memory - memory_needed(model, 0)) / each))
    # What a process needs is rounded up.
    while possible and memory_needed(model, possible) > memory:
        possible -= 1
    while memory_needed(model, possible + 1) <= memory:
        possible += 1
    return possible


def checkpoints_held(num_rounds: int, interval: int, keep_last: int, keep_best: bool) -> int:
    """Return how many checkpoints lie in the directory at most, the one that is being written included."""
    saved = math.ceil(num_rounds / interval)  # the last round is saved whatever the interval
    kept = saved if keep_last == 0 else min(saved, keep_last + keep_best)
    return min(saved, kept + 1)


def checkpoint_bytes(model: int, state_models: int) -> int:
    """Return the size of a checkpoint: the model, and the arrays of its size that the strategy keeps."""
    return model * (1 + state_models)


def model_bytes(manifest: Mapping[str, Any]) -> int:
    """Return the size of the model's arrays that a checkpoint's manifest describes."""
    return sum(math.prod(entry["shape"]) * _itemsize(str(entry["dtype"])) for entry in manifest["arrays"])


def physical_memory() -> int:
    """Return the bytes of memory of this host."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def said(size: int) -> str:
    """Write a size for a person."""
    return f"{size / 10**9:.1f} GB" if size >= 10**9 else f"{math.ceil(size / MEGABYTE)} MB"


def _itemsize(dtype: str) -> int:
    bits = re.search(r"(\d+)$", dtype)
    return max(1, int(bits.group(1)) // 8) if bits else 1


def _together(needs: Iterable[Need], model: int, replies: int) -> int:
    return sum(need.peak(model, replies) for need in needs)
