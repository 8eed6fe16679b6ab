# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which numbers a supervised training can be asked for with, beside the training variables themselves.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t

# The least of each number, and what to do about one that is less.
LEAST = {
    "num_rounds": (1, "Ask for a round, or leave it out for an app that has its own number."),
    "needed_nodes": (1, "A round needs a SuperNode."),
    "attempts": (1, "Give 1 to give the training up after the first run that finishes no round."),
    "session_interval": (0, "Give 0 for sessions that begin with SuperNodes that come, and only then."),
    "stall_timeout": (1, "Leave it unset for 900 seconds."),
    "first_round_timeout": (1, "Leave it unset for 8700 seconds."),
    "timeout": (0, "Give 0 to follow the training for as long as it takes."),
}


def range_problems(values: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the numbers, a sentence each with what to do."""
    return [
        f"{name} is {values[name]} but must be a number, at least {least}. {advice}"
        for name, (least, advice) in LEAST.items()
        if values.get(name) is not None and not least <= values[name] < math.inf
    ]
