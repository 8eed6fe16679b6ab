# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remarkable thing is told as: one sentence, and what to do about it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from dataclasses import dataclass

SERIOUS, NOTABLE = "serious", "notable"


@dataclass(frozen=True)
class Anomaly:
    """One sentence, and what to do about it."""

    kind: str
    weight: str
    text: str
    round: int | None = None
    variable: str = ""  # to look at; empty where none has a say
    value: str = ""  # to try
