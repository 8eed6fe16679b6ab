# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a site is told about one round of local training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The knobs of one local training. The seed differs by round and site, and repeats when the round is repeated."""

    # begin: local (tools/generate.py writes it)
    learning_rate: float = field(default=0.1, metadata={"key": "client-lr"})
    local_epochs: int = field(default=1, metadata={"key": "local-epochs"})
    batch_size: int = field(default=32, metadata={"key": "batch-size"})
    max_batches: int = field(default=0, metadata={"key": "max-batches"})
    # end: local
    proximal_mu: float
    seed: int
    extra: Mapping[str, bool | int | float | str] = field(default_factory=dict)  # the app's own knobs, by key

    @property
    def most_examples(self) -> int | None:
        """How many examples an epoch has at most; None where it has all."""
        return self.max_batches * self.batch_size or None

    @classmethod
    def of(cls, config: Mapping[str, Any], **more: Any) -> Settings:
        """Return the settings that the config of a message has by their keys, and more."""
        keys = {each.name: each.metadata["key"] for each in fields(cls) if each.metadata}
        return cls(**{name: config[key] for name, key in keys.items()}, **more)


def part(examples: int, most: int | None) -> slice:
    """Return which of so many examples to take where that is to be at most ``most``: evenly spread; all for None."""
    return slice(None, None, max(1, -(-examples // most)) if most else None)


def derive_seed(seed: int, round_number: int, site: str) -> int:
    """Return a seed of 63 bits that depends on nothing but the three arguments."""
    digest = hashlib.sha256(f"{seed}/{round_number}/{site}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
