# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The app of a training: a copy of what was deployed when it was asked for, from which all of its runs are submitted.

Another training may have the same app deployed with other code meanwhile. There is a folder for each training and FAB,
which only root can write, and which is called by the hash of its FAB: a run of any other is stopped. What root has
recorded of it lies beside it; a copy that comes back from a backup is held against that before anything is submitted.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t

from .._base import guarded
from .._base.errors import FedopsError
from .._base.layout import folder
from .._base.notation import short_hash
from .._base.records import write_object
from .answers import FlwrError
from .app_record import HASH, OF_A_COPY, PINNED_APPS, app_record_of, own_apps, pinned_record
from .fab import digest_of, files_below, write_files


class PinError(FedopsError):
    """The app of a training cannot be put aside; the message says why and what to do."""


def pinned_path(home: str, training: str, app: str) -> str:
    """Return the folder of a training's own copy of a deployed app; the app itself where nothing is known of it."""
    record = app_record_of(home, app)
    return os.path.join(own_apps(home, training), record["fab_hash"]) if record else app


def pin(home: str, training: str, app: str, kept: t.Collection[str] = (), fab_hash: str | None = None) -> str:
    """Have a training's own copy of a deployed app, and return its folder. Others of it go, but for these hashes.

    Of those it is enough to know how they begin. C(fab_hash) is that of the FAB which the training was checked with.
    """
    record = app_record_of(home, app)
    if record is None:
        return app
    if fab_hash and record["fab_hash"] != fab_hash:
        raise PinError(
            f"{app} was deployed anew since this training was checked: its FAB is {short_hash(record['fab_hash'])}, and"
            f" was {short_hash(fab_hash)}. Nothing was begun. Train again, which deploys what is asked for."
        )
    files = files_below(app)
    if digest_of(files) != record["checksum"]:
        raise PinError(f"{app} is not as it was deployed. Look who changed it, and train again, which deploys it anew.")
    own = own_apps(home, training)
    path = os.path.join(own, record["fab_hash"])
    for place in (os.path.dirname(own), own):
        guarded.make_directory(place, 0o755, guarded.us())
    if _files_in(path) != files:
        staging = guarded.temporary_directory(own, ".staging-", 0o755)
        try:
            write_files(os.path.join(staging, "app"), files)
            if guarded.status(path) is not None:
                guarded.rename(path, os.path.join(staging, "previous"))
            guarded.rename(os.path.join(staging, "app"), path)
        finally:
            guarded.remove_tree(staging)
    write_object(f"{path}.json", {key: record[key] for key in OF_A_COPY}, 0o644, guarded.us())
    stay = (os.path.basename(path), *filter(None, kept))
    for name in guarded.names(own):
        if not name.startswith(stay):
            (guarded.remove if name.endswith(".json") else guarded.remove_tree)(os.path.join(own, name))
    return path


def check_copy(path: str) -> None:
    """Refuse a training's own copy of an app that is not what root has recorded of it.

    Of what is no such copy, and of one that an earlier release has put aside, nothing is recorded.

    :raises FlwrError: which names both hashes.
    """
    record = pinned_record(path)
    if record is None:
        return
    files = _files_in(path)
    found = None if files is None else digest_of(files)
    if found != record["checksum"]:
        raise FlwrError(
            f"{path} is not the app that was put aside for this training: its files have the hash {short_hash(found)},"
            f" and had {short_hash(record['checksum'])}. Nothing was submitted. Look who changed it, and train again"
            " (playbook fedops.flower.train), which puts it right."
        )


def copies_to_keep(home: str) -> tuple[list[str], list[str]]:
    """Return the files, below the home, of all copies that are what root has recorded, and say which others are not."""
    names: list[str] = []
    problems: list[str] = []
    root = folder(home, PINNED_APPS)
    for training in _names(root):
        for fab_hash in filter(HASH.fullmatch, _names(os.path.join(root, training))):
            place = os.path.join(PINNED_APPS, training, fab_hash)
            record, files = pinned_record(os.path.join(home, place)), _files_in(os.path.join(home, place))
            if record is None:
                problems.append(f"{place} is not in the backup: nothing is recorded of it. Train again.")
            elif files is None or digest_of(files) != record["checksum"]:
                problems.append(f"{place} is not in the backup: it is not what was put aside there.")
            else:
                names += [f"{place}.json", *(f"{place}/{name}" for name in files)]
    return names, problems


def pinned_hashes(home: str) -> set[str]:
    """Return the hashes of the FABs of all trainings that have an app of their own."""
    root = folder(home, PINNED_APPS)
    return {name for training in _names(root) for name in _names(os.path.join(root, training)) if HASH.fullmatch(name)}


def _names(path: str) -> list[str]:
    try:
        return guarded.names(path)
    except OSError:
        return []


def _files_in(path: str) -> dict[str, bytes] | None:
    """Return what lies in a folder; None where that cannot be read, or others can write it."""
    try:
        return files_below(path)
    except OSError:
        return None
