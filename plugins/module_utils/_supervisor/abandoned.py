# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A smoke run whose playbook was interrupted: the host removes it by itself, some time after it must have ended.

systemd is told so when the smoke run begins, and that it need not when somebody else has removed it. After a reboot it
knows nothing of that any more; then the next smoke run removes it.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

from .._base.hardening import NO_USER_CODE, ONLY_THIS_HOST, Directives, assignments
from .._base.notation import values_of
from .._base.systemd import SystemdError, control, run_later
from .._config.kit import told
from .._config.purposes import SMOKE
from .._flower.cli import Flwr
from .._training.folder import MEMORY_FILE, REQUEST_FILE, TrainingFolder
from .control import PROGRAM, Supervising
from .desk import Desk
from .forgetting import forget
from .request import Request
from .shared_directories import checkpoint_directory

REMOVE_ABANDONED = "--remove-abandoned"  # as the supervisor's program takes it
JUDGING = 600.0  # seconds that a playbook may take from the end of the run until it has removed everything
TO_BE_SURE = 3600  # seconds later, when it is removed however it stands
A_DAY_LATER = 86400  # once more, for a SuperLink that was away both times

# It is root: it removes what belongs to several accounts, and works as each of them.
_PROPERTIES: Directives = {
    **NO_USER_CODE,
    **ONLY_THIS_HOST,
    "CapabilityBoundingSet": "CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_SETGID CAP_SETUID",
    "ProtectProc": "default",
    "SyslogLevelPrefix": "yes",
    "SystemCallFilter": "@system-service",
    "UMask": "0022",
}


def cleaner_of(training: str) -> str:
    """Return the name of the timer and the service that remove a smoke run."""
    return f"flower-abandoned-{training}"


def longest_run(request: Request) -> float:
    """Return after how many seconds the run of a smoke run has surely ended, or will not."""
    values = values_of(request.run_config)
    limits = {name: told(values, name) for name in ("node_wait_timeout", "round_timeout")}
    seconds = {name: float(limit) if isinstance(limit, (int, float)) else 600.0 for name, limit in limits.items()}
    return seconds["node_wait_timeout"] + 2 * seconds["round_timeout"]  # to train, and to evaluate


def have_removed_later(supervising: Supervising, request: Request) -> None:
    """Have the host remove a smoke run by itself, in case that nobody else does; without that it is tried as well."""
    home, name = supervising.flwr.home, request.name
    first = int(longest_run(request) + 2 * JUDGING)
    directory = checkpoint_directory(request.run_config)
    places = [home, *([os.path.dirname(directory)] if directory else [])]
    with suppress(SystemdError):
        leave_to_us(name)
        run_later(
            cleaner_of(name),
            f"Flower removes the smoke run {name} if nobody has",
            (first, first + TO_BE_SURE, first + A_DAY_LATER),
            assignments({**_PROPERTIES, "ReadWritePaths": [f"-{place}" for place in places]}),
            [os.path.join(home, "venv", "bin", "python"), "-I", "-B", os.path.join(home, PROGRAM),
             "--home", home, REMOVE_ABANDONED, name],
        )  # fmt: skip


def leave_to_us(training: str) -> None:
    """Have the host leave the removal to whoever calls this."""
    with suppress(SystemdError):
        control("stop", f"{cleaner_of(training)}.timer")


def remove_abandoned(home: str, training: str, at: float | None = None) -> list[str]:
    """Remove a smoke run that nobody follows any more; return what was removed, nothing while somebody may."""
    desk = Desk(TrainingFolder(home, training))
    request = desk.request
    if request is None or request.purpose != SMOKE:
        return []  # somebody has removed it, and may have trained something else of that name
    supervising = Supervising(Flwr(home, request.superlink), desk.folder)
    now = time.time() if at is None else at
    asked = _written(desk.folder, REQUEST_FILE)
    is_overdue = now - asked > longest_run(request) + TO_BE_SURE
    is_judged = not supervising.goes_on and now - max(asked, _written(desk.folder, MEMORY_FILE)) > JUDGING
    if not is_overdue and not is_judged:
        return []
    supervising.stop()
    removed = forget(supervising, with_checkpoints=True)
    leave_to_us(training)
    return removed


def _written(folder: TrainingFolder, name: str) -> float:
    """Return when a record of a training was written; 0 where there is none."""
    with suppress(OSError):
        return os.stat(os.path.join(folder.path, name)).st_mtime
    return 0.0
