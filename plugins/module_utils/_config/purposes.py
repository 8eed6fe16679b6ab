# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model is made for. It is part of the identity: no real training goes on from the model of another purpose.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REAL_TRAINING, SMOKE, SIMULATION = "training", "smoke", "simulation"
PURPOSES = (REAL_TRAINING, SMOKE, SIMULATION)
PURPOSE_KEY = "purpose"  # in what is told of a training: events, manifests; it is left out of those of real ones


def told_purpose(value: object) -> dict[str, object]:
    """Return what events and manifests say of a purpose: nothing of a real training."""
    return {} if value == REAL_TRAINING else {PURPOSE_KEY: value}


def purpose_of(told: Mapping[str, Any] | None) -> str:
    """Return what an event, a manifest or a result says that its model is for."""
    found = (told or {}).get(PURPOSE_KEY)
    return found if isinstance(found, str) else REAL_TRAINING
