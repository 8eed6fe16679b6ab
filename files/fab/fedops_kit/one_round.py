# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a round needs, and what became of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from .guards import Rejection
from .reports import Reports


@dataclass(frozen=True)
class Guard:
    """What a round needs, and what happens when it does not get it."""

    minimum_replies: int
    on_shortfall: str
    round_timeout: float
    trim_beta: float = 0.0  # of FedTrimmedAvg; 0: nothing is to be trimmed
    max_update_norm: float = 0.0  # of a single reply; 0: no bound
    foreign: bool = False  # the ClientApp is not built on the kit, nor the strategy made by it


@dataclass
class Round:
    """What became of one round."""

    number: int
    started: float = field(default_factory=time.monotonic)
    asked_nodes: list[int] = field(default_factory=list)
    counted_nodes: list[int] = field(default_factory=list)  # whose reply is valid
    attempts: int = 1
    earlier: list[Rejection] = field(default_factory=list)  # what was wrong in attempts that were repeated
    failed: list[Rejection] = field(default_factory=list)  # whose reply was an error, and who stayed silent
    unavailable: int = 0  # how many of them were just not there
    rejected: list[Rejection] = field(default_factory=list)  # replies left out, of training and of evaluation
    aggregated: bool = False
    train_metrics: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)  # of the federated evaluation
    returned: dict[str, Any] = field(default_factory=dict)  # the same as the strategy has made them, by what was asked
    num_examples: int = 0  # that the nodes evaluated on
    update_norm: float | None = None  # of the model as a whole
    reports: Reports = field(default_factory=Reports)  # of its sites
    phases: dict[str, float] = field(default_factory=dict)  # seconds, by what they went to
    _mark: float = field(default_factory=time.monotonic)  # when the phase under way began

    def spent(self, phase: str) -> None:
        """Note what the seconds since the last such note went to."""
        now = time.monotonic()
        self.phases[phase] = self.phases.get(phase, 0.0) + now - self._mark
        self._mark = now

    @property
    def asked(self) -> int:
        """How many nodes were asked."""
        return len(self.asked_nodes)

    @property
    def replies(self) -> int:
        """How many replies are valid."""
        return len(self.counted_nodes)

    @property
    def failures(self) -> int:
        """How many are not: errors, rejected replies, and nodes that did not answer in time."""
        return self.asked - self.replies
