# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving the trainings of a host that had one account for everything to where those of today lie.

What a ServerApp tells goes to C(published/NAME) and stays its account's; the rest becomes the account's that supervises
trainings. That can be cut short and done again. Nothing of the old account may run meanwhile.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import pwd
import stat
from datetime import datetime, timezone

from .._base import guarded, identity
from .._base.layout import folder
from .._base.ownership import hand_over
from .claims import EFFECTIVE_FILE, FAILURE_FILE, HISTORY_FILE, RESULT_FILE
from .folder import FOLDER_MODE, RECORD_MODE, TRAINING_NAME

PREVIOUS_CLAIMS = "previous"
CLAIMS = (EFFECTIVE_FILE, RESULT_FILE, HISTORY_FILE, FAILURE_FILE, PREVIOUS_CLAIMS)

_Owners = tuple[int, int]


def split(home: str) -> list[str]:
    """Move what ServerApps have told, and give the rest its owner; return the names of the trainings that changed."""
    trainings, published = folder(home, "trainings"), folder(home, "published")
    if guarded.status(trainings) is None:
        return []
    control, apps = _owners(identity.CONTROL_USER), _owners(identity.APPS_USER)
    both = [control[0], apps[0]]
    guarded.make_directory(trainings, FOLDER_MODE, (control[0], apps[1]), (guarded.ROOT, *both))
    guarded.make_directory(published, FOLDER_MODE, apps)
    changed = []
    for name in guarded.names(trainings):
        place = os.path.join(trainings, name)
        found = guarded.status(place)
        if found is None or not stat.S_ISDIR(found.st_mode) or not TRAINING_NAME.fullmatch(name):
            continue
        told = [claim for claim in CLAIMS if guarded.status(os.path.join(place, claim)) is not None]
        if told:
            _move(place, os.path.join(published, name), told, apps)
            hand_over(os.path.join(published, name), [control[0]], apps)
            # As they were written, whoever supervises the training could not read them.
            _open_files(os.path.join(published, name), apps[0], (-1, -1))
        if hand_over(place, [apps[0]], control) or told:
            changed.append(name)
    _open_files(trainings, apps[0], control)
    return changed


def _move(source: str, target: str, names: list[str], owners: _Owners) -> None:
    """Move some of what is in a folder; what is in the way is kept as something of before."""
    guarded.make_directory(target, FOLDER_MODE, owners)
    kept = os.path.join(target, PREVIOUS_CLAIMS, datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ"))
    # The folder of before last: it may be what is moved, or made for what is in the way.
    for name in sorted(names, key=lambda name: name == PREVIOUS_CLAIMS):
        if guarded.status(os.path.join(target, name)) is None:
            guarded.rename(os.path.join(source, name), os.path.join(target, name))
            continue
        for made in (os.path.dirname(kept), kept):
            guarded.make_directory(made, FOLDER_MODE, owners)
        guarded.rename(os.path.join(source, name), os.path.join(kept, name))


def _open_files(path: str, before: int, owners: _Owners) -> None:
    """Let the group read the files in a folder, and give them to others."""
    for name in guarded.names(path):
        place = os.path.join(path, name)
        found = guarded.status(place)
        if found is not None and stat.S_ISREG(found.st_mode) and found.st_uid == before and found.st_nlink == 1:
            with guarded.regular_file(place, None, [before]) as stream:
                os.fchown(stream.fileno(), *owners)
                os.fchmod(stream.fileno(), RECORD_MODE)


def _owners(name: str) -> _Owners:
    account = pwd.getpwnam(name)
    return account.pw_uid, account.pw_gid
