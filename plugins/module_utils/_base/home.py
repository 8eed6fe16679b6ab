# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Flower app knows of the layout of a host: the home, and the two folders in it that are for apps.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os

HOME = "/opt/flower"
CHECKPOINTS, DATA = "checkpoints", "data"


def below(home: str, name: str) -> str:
    """Return where something in the home lies."""
    return os.path.join(home, name)
