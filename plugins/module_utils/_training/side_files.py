# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the latest ServerApp of a training says goes with its model, as it lies on the host: a claim like the others.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os

from .._base.guarded import regular_file
from .._base.records import why_unread
from .._checkpoint.side_files import LONGEST_SIDE_RECORD, SIDE_FILES
from .claims import ClaimError
from .folder import TrainingFolder, claimants

_AT_ONCE = 8 << 20  # bytes that travel at once


def side_files_piece(home: str, training: str, offset: int) -> bytes:
    """Return the next piece of the record of a training; empty at its end, or where there is none."""
    path = os.path.join(TrainingFolder(home, training).published, SIDE_FILES)
    try:
        with regular_file(path, LONGEST_SIDE_RECORD, claimants()) as stream:
            stream.seek(offset)
            return stream.read(_AT_ONCE)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ClaimError(f"{path} cannot be read: {why_unread(error)}.") from None
