# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training that is to be private lacks.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._config.privacy import PRIVACY
from .._flower.app import table_of
from .anomaly import SERIOUS, Anomaly
from .figures import Report
from .rounds import number


def of_noise(report: Report) -> t.Iterator[Anomaly]:
    """Find noise that is none, or no secret."""
    settings = table_of(report, "effective", PRIVACY)
    if number(settings.get("seed")):
        yield Anomaly(
            "not_private",
            SERIOUS,
            "The noise of this training has a seed, so that anybody can compute it: nothing is private.",
            None,
            "fl_privacy_seed",
            "0, which draws fresh noise",
        )
    elif settings and not number(settings.get("noise_multiplier")):
        yield Anomaly(
            "no_noise",
            SERIOUS,
            "Updates are clipped, and there is no noise: nobody is protected.",
            None,
            "fl_privacy_noise_multiplier",
            "1 or more",
        )
