# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A schedule as a picture of plain text.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Sequence

PLOT_LINES = 40  # rounds that are shown, evenly chosen, with the first and the last
_WIDTH = 60  # characters of the longest bar


def plotted(rates: Sequence[float]) -> str:
    """Return a line for each round, or for as many of them as fit: its number, its rate, a bar."""
    last, most = len(rates) - 1, max(rates, default=0.0)
    shown: Sequence[int] = range(last + 1)
    if last >= PLOT_LINES:
        shown = sorted({round(line * last / (PLOT_LINES - 1)) for line in range(PLOT_LINES)})
    return "\n".join(
        f"{number + 1:>{len(str(last + 1))}}  {rates[number]:<12.6g} {_bar(rates[number], most)}".rstrip()
        for number in shown
    )


def _bar(rate: float, most: float) -> str:
    return "#" * round(_WIDTH * rate / most) if most else ""
