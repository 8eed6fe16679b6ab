# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that would become another one only because a default has changed since it began.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from .._base.notation import show, values_of
from .._config.continuity import moved
from .._training.folder import RefusedError, TrainingFolder
from .desk import Desk
from .request import Request


class DefaultMovedError(RefusedError):
    """Nobody has chosen another training, but with the defaults of this release it would be one."""


def refuse_moved_defaults(folder: TrainingFolder, request: Request) -> None:
    """Refuse to begin anew what its operator means to go on with."""
    if request.force or request.begins_anew:
        return
    had = Desk(folder).request
    before = values_of(had.run_config) if had else (folder.effective or {}).get("run_config")
    if before and (rows := moved(before, values_of(request.run_config))):
        was = ", ".join(f"{row.ansible} was {show(then)} and is {show(now)}" for row, then, now in rows)
        keep = ", ".join(f"{row.ansible} to {show(then)}" for row, then, dummy in rows)
        raise DefaultMovedError(
            f"A default has changed since this training began: {was}, which makes it another training. Set {keep} to go"
            " on with it; or give the new training a fl_training_name of its own, or set fl_resume to never to begin"
            " this one anew."
        )
