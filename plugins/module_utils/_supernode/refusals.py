# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a SuperLink refuses a SuperNode, as far as it tells.

The launcher of the SuperNode has a copy of the part below.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

# begin: refusals
CLOCKS_AGREE = 3.0  # seconds; an answer tells whole ones, and has taken a while


def refusal(response: Any) -> str:
    """Say why the SuperLink refuses a SuperNode, as far as it tells."""
    text = f"The SuperLink refuses this SuperNode: {response.status_code} {response.text.strip()}"
    ahead = time.time() - _moment(response.headers.get("date"))
    if abs(ahead) <= CLOCKS_AGREE:
        return text
    return (
        f"{text}. The clock of this host is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the SuperLink's;"
        " Flower allows 5 s ahead and 305 s behind. Synchronize them, as with chrony or systemd-timesyncd."
    )


def _moment(date: str | None) -> float:
    """Return the time that an answer carries; now, where it carries none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return time.time()


# end: refusals
