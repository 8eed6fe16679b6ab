# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What root has written down of a deployed app: its source, its FAB, and where that is installed.

No path is in it, only names, each of a fixed form.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import re
import typing as t

from .._base.guarded import ROOT, status
from .._base.layout import folder
from .._base.records import read_object
from .answers import FlwrError

PINNED_APPS = "app/of_trainings"  # in the layout
_MOST = 1 << 16  # bytes
HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*", re.ASCII)
_RULES: t.Mapping[str, re.Pattern[str]] = {
    "checksum": HASH,
    "fab_hash": HASH,
    "fab_file": re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+!_-]{0,200}\.fab", re.ASCII),
    "folder": re.compile(r"[A-Za-z0-9_][A-Za-z0-9.+!_-]{0,200}", re.ASCII),
}

OF_A_COPY = ("fab_hash", "checksum")  # what is recorded of a training's own copy


def record_path(home: str, name: str) -> str:
    """Return where the record of an app lies."""
    return os.path.join(folder(home, "records/apps"), f"{name}.json")


def read_record(home: str, name: str) -> dict[str, str] | None:
    """Return the record of an app; None when there is none that root has written."""
    found = read_object(record_path(home, name), {ROOT, os.geteuid()}, _MOST) or {}
    if not all(isinstance(found.get(key), str) and rule.fullmatch(found[key]) for key, rule in _RULES.items()):
        return None
    return {key: found[key] for key in _RULES}


def app_record_of(home: str, app: str) -> dict[str, str] | None:
    """Return the record of an app by the path of its folder; None when nothing is known."""
    name = os.path.basename(app)
    if not _NAME.fullmatch(name) or app != os.path.join(folder(home, "app"), name):
        return None
    return read_record(home, name)


def own_apps(home: str, training: str) -> str:
    """Return the folder of what root has put aside for a training: its copies of an app, by the hash of their FAB."""
    return os.path.join(folder(home, PINNED_APPS), training)


def pinned_record(path: str) -> dict[str, str] | None:
    """Return what root has recorded of a training's own copy of an app, beside it; None where it has not."""
    found = read_object(f"{path}.json", {ROOT, os.geteuid()}, _MOST)
    return checked_pin(path, found) if found else None


def checked_pin(path: str, found: t.Mapping[str, t.Any]) -> dict[str, str] | None:
    """Return a record of a copy as far as it is one: C(fab_hash), which its folder is called by, and C(checksum)."""
    record = {key: found.get(key) for key in OF_A_COPY}
    sound = all(isinstance(value, str) and _RULES[key].fullmatch(value) for key, value in record.items())
    return t.cast("dict[str, str]", record) if sound and record["fab_hash"] == os.path.basename(path) else None


def deployed_fab_hash(home: str, app: str) -> str | None:
    """Return the hash of the FAB of an app by the path of its folder; None when it is not known.

    What root has put aside for a training is called by it.
    """
    above, name = os.path.split(app)
    if os.path.dirname(above) == folder(home, PINNED_APPS) and HASH.fullmatch(name):
        return name if _is_roots(app) else None
    return (app_record_of(home, app) or {}).get("fab_hash")


def _is_roots(path: str) -> bool:
    """Tell whether a folder is there that root alone can write."""
    try:
        found = status(path)
    except OSError:
        return False
    return found is not None and found.st_uid in (ROOT, os.geteuid()) and not found.st_mode & 0o022


def check_fab(home: str, app: str, run_id: str, fab_hash: str, stop: t.Callable[[str], object]) -> None:
    """Stop a run of another FAB than is deployed, which could not begin and nobody has checked; raise FlwrError."""
    deployed = deployed_fab_hash(home, app)
    # Flower tells the first eight characters when a run is submitted, and all of them later.
    if deployed is not None and not (fab_hash and deployed.startswith(fab_hash)):
        stop(run_id)
        raise FlwrError(
            f"Run {run_id} was stopped: its FAB is {fab_hash[:8]}, but what is deployed of {app} is {deployed[:8]}."
            " Look who changed it, and train again (playbook fedops.flower.train), which deploys it anew."
        )
