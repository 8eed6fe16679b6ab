# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order to pause all trainings of a SuperLink: a file beside their folders, which outlives a reboot.

The ServerApp heeds it at the end of a round, the supervisors heed it everywhere else. See C(_quiescing) for its effect.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import os
import time
import typing as t
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone

from .._base.guarded import remove
from .._base.jsonable import is_number
from .folder import RefusedError, as_keeper, make_folder, read_object, write_object

QUIESCE_MARKER = "quiesced.json"
QUIESCE_TIMEOUT = 600  # seconds that the rounds under way may take, unless an operator says otherwise


class QuiescedError(RefusedError):
    """Nothing may be trained at present; the message says what to do."""


@dataclass(frozen=True)
class Order:
    """The order to pause all trainings."""

    since: str = "an unknown time"
    until: float = math.inf  # the moment up to which a round under way may be finished, in seconds since 1970
    purpose: str = ""  # what it is for, where it was not an operator who gave it
    # When it was given and the same moment as above, in seconds since the boot: that clock is never stepped.
    given: float = math.inf
    deadline: float = math.inf

    @property
    def left(self) -> float:
        """Return how many seconds a round under way has left."""
        at = boot_seconds()
        # Given later than now, it is of another boot. One that was longer up than this one is not told apart (the
        # supervisor may not read the id of the boot), but no round outlives a boot.
        return self.deadline - at if self.given <= at else self.until - time.time()

    def refuse(self) -> None:
        """Say why nothing is trained."""
        purpose = f" for its {self.purpose}" if self.purpose else ""
        # A playbook that was cut short lifts its order when it is run again.
        again = f" If no {self.purpose} is at work any more, run it again." if self.purpose else ""
        raise QuiescedError(
            f"The federation is quiesced{purpose} since {self.since}: nothing is trained until it is resumed."
            f" Run the playbook fedops.flower.resume first.{again}"
        )


def standing_order(trainings: str) -> Order | None:
    """Return the order for a folder of trainings, where there is one. A file that is damaged is an order, too."""
    path = os.path.join(trainings, QUIESCE_MARKER)
    if not os.path.lexists(path):
        return None
    values = read_object(path) or {}
    texts = {key: values[key] for key in ("since", "purpose") if isinstance(values.get(key), str)}
    numbers = {key: values.get(key) for key in ("until", "given", "deadline")}
    known: dict[str, t.Any] = {key: float(it) for key, it in numbers.items() if is_number(it)}
    return Order(**texts, **known)


def give_order(trainings: str, timeout: float, purpose: str = "") -> bool:
    """Pause all trainings, rounds under way within some seconds; tell whether that is new.

    Asked for again, it can only become sooner. Once an operator asks for it, it is an operator's.
    """
    known, at = standing_order(trainings), boot_seconds()
    order = Order(until=time.time() + timeout, purpose=purpose, given=at, deadline=at + timeout)
    if known is None:
        order = replace(order, since=datetime.now(timezone.utc).isoformat(timespec="seconds"))
    else:
        sooner = order if order.left < known.left else known
        order = replace(sooner, since=known.since, purpose=purpose and known.purpose)
    if order == known:
        return False
    make_folder(trainings)
    write_object(os.path.join(trainings, QUIESCE_MARKER), asdict(order))
    return known is None


def boot_seconds() -> float:
    """Return how long this host is up, the time that it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def lift_order(trainings: str) -> None:
    """Let trainings be trained again."""
    path = os.path.join(trainings, QUIESCE_MARKER)
    with as_keeper(path):
        remove(path)
