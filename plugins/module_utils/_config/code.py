# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other code makes of a training: one with another hash of the user's code is another one, unless it is to go on.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

NEW_TRAINING, GOES_ON = "new", "continue"
CODE_CHANGES = (NEW_TRAINING, GOES_ON)
OF_CODE = ("code_change", "code_sha256")  # the variables about it, by their names in the table


def is_same_code(then: str | None, now: str | None, change: str | None = NEW_TRAINING) -> bool:
    """Tell whether code is of the training that had C(then).

    Where nobody has told the one or the other, as before there were such hashes, it takes over what it finds.
    """
    return not then or not now or then == now or change == GOES_ON
