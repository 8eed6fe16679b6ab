# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a site is told about one round of local training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """The knobs of one local training. The seed differs by round and site, and repeats when the round is repeated."""

    learning_rate: float
    local_epochs: int
    batch_size: int
    proximal_mu: float
    seed: int
    extra: Mapping[str, bool | int | float | str] = field(default_factory=dict)  # the app's own knobs, by key


def derive_seed(seed: int, round_number: int, site: str) -> int:
    """Return a seed of 63 bits that depends on nothing but the three arguments."""
    digest = hashlib.sha256(f"{seed}/{round_number}/{site}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
