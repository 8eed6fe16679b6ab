# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order that all trainings of a SuperLink stand still: a file beside their folders, which outlives a reboot.

The ServerApp heeds it at the end of a round, the supervisors heed it everywhere else. See C(_quiescing) for its effect.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

from ._flwr import as_service_account
from ._trainings import read_object, write_object

MARKER = "quiesced.json"


class QuiescedError(Exception):
    """Nothing may be trained at present; the message says what to do."""


@dataclass(frozen=True)
class Order:
    """That all trainings stand still."""

    since: str = "an unknown time"
    until: float = math.inf  # the moment up to which a round under way may be finished, in seconds since 1970

    @property
    def left(self) -> float:
        """Return how many seconds a round under way has left."""
        return self.until - time.time()

    def refuse(self) -> None:
        """Say why nothing is trained."""
        raise QuiescedError(
            f"The federation is quiesced since {self.since}: nothing is trained until it is resumed."
            " Run the playbook fedops.flower.resume first."
        )


def standing_order(trainings: str) -> Order | None:
    """Return the order for a folder of trainings, where there is one. A file that is damaged is an order, too."""
    path = os.path.join(trainings, MARKER)
    if not os.path.lexists(path):
        return None
    values = read_object(path) or {}
    since, until = values.get("since"), values.get("until")
    return Order(
        since if isinstance(since, str) else Order.since,
        float(until) if isinstance(until, (int, float)) else Order.until,
    )


def give_order(trainings: str, timeout: float) -> bool:
    """Have all trainings stand still, rounds under way within some seconds; tell whether that is news.

    Asked for again, it can only become sooner.
    """
    known, until = standing_order(trainings), time.time() + timeout
    if known is not None and known.until <= until:
        return False
    since = known.since if known else datetime.now(timezone.utc).isoformat(timespec="seconds")
    with as_service_account():
        os.makedirs(trainings, 0o750, exist_ok=True)
    write_object(os.path.join(trainings, MARKER), asdict(Order(since, until)))
    return known is None


def lift_order(trainings: str) -> None:
    """Let trainings be trained again."""
    with as_service_account(), suppress(FileNotFoundError):
        os.unlink(os.path.join(trainings, MARKER))
