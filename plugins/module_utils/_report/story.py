# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of a training, as its files on the SuperLink host tell it: what a report is made of.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t

from .._base.errors import FedopsError
from .._base.guarded import names
from .._base.layout import folder as folder_of
from .._training.claims import EFFECTIVE_FILE, FAILURE_FILE, RESULT_FILE, ClaimError, read_claim
from .._training.folder import TRAINING_NAME, TrainingFolder, claimants
from . import rounds

EARLIER = "previous"  # as a baseline: what lay under the same name before
_MOST_RUNS = 500
_OF_SUPERVISION = (
    "state",
    "reason",
    "detail",
    "since",
    "restarts",
    "restart_reasons",
    "waiting_for",
    "mode",
    "num_rounds",
    "run_id",
)


class NoStoryError(FedopsError):
    """There is nothing to report on."""


def story(
    folder: TrainingFolder, supervision: t.Mapping[str, t.Any] | None, asked: t.Mapping[str, t.Any]
) -> dict[str, t.Any]:
    """Return what is known of a training; C(asked) is what its supervisor is asked for."""
    if not os.path.isdir(folder.path) and not os.path.isdir(folder.published):
        raise NoStoryError(
            f"There is no training {folder.name} on this host, so that there is nothing to report. The playbook"
            " fedops.flower.status lists the trainings."
        )
    told = rounds.read(folder.published, claimants(), folder.run_ids)
    return {
        "training": folder.name,
        "asked": dict(asked),
        "supervision": {key: supervision.get(key) for key in _OF_SUPERVISION} if supervision else None,
        "effective": folder.effective,
        "result": folder.result,
        "failure": folder.failure,
        "runs": [
            {
                "run_id": entry.run_id,
                "time": entry.submitted_at,
                "num_rounds": entry.num_rounds,
                "fab_hash": entry.fab_hash,
            }
            for entry in folder.ledger[-_MOST_RUNS:]
        ],
        "problems": folder.problems,
        **of_rounds(told),
    }


def baseline(home: str, name: str, wanted: str) -> dict[str, t.Any] | None:
    """Return the story of what a training is compared with, on the same host; None where there is none yet."""
    if wanted == EARLIER:
        return _earlier(TrainingFolder(home, name))
    if not TRAINING_NAME.fullmatch(wanted) or not os.path.isdir(os.path.join(folder_of(home, "trainings"), wanted)):
        raise NoStoryError(
            f"report_baseline is {wanted!r} but must be the name of a training of this host, {EARLIER} for what was"
            " trained under the same name before, or the path of the .json of an earlier report. The playbook"
            " fedops.flower.status lists the trainings."
        )
    return story(TrainingFolder(home, wanted), None, {})


def _earlier(folder: TrainingFolder) -> dict[str, t.Any] | None:
    place = os.path.join(folder.published, EARLIER)
    try:
        kept = names(place)
    except OSError:
        return None
    if not kept:
        return None
    last = os.path.join(place, kept[-1])
    told = rounds.read(last, claimants(), folder.run_ids)
    return {
        "training": f"{folder.name}, as it was until {kept[-1]}",
        "asked": {},
        "supervision": None,
        "effective": None,
        "result": _claim(last, RESULT_FILE),
        "failure": _claim(last, FAILURE_FILE),
        "runs": [],
        "problems": [],
        **of_rounds(told),
    }


def _claim(folder: str, name: str, owners: set[int] | None = None) -> dict[str, t.Any] | None:
    try:
        return read_claim(folder, name, owners or claimants())
    except ClaimError:
        return None


def story_in(path: str, name: str) -> dict[str, t.Any]:
    """Return the story that a folder tells to the account whose it is: of a simulation, which nobody supervises."""
    own = {os.geteuid()}
    told = rounds.read(path, own, None)
    return {
        "training": name,
        "asked": {},
        "supervision": None,
        "effective": _claim(path, EFFECTIVE_FILE, own),
        "result": _claim(path, RESULT_FILE, own),
        "failure": _claim(path, FAILURE_FILE, own),
        "runs": [],
        "problems": [],
        **of_rounds(told),
    }


def of_rounds(told: rounds.Told) -> dict[str, t.Any]:
    """Return what a story has of a history."""
    return {
        "rounds": rounds.lean(told.rounds),
        "by_site": {**rounds.columns(told.rounds), "every": told.every},
        "not_counted": rounds.groups(told.rounds),
        "trained_again": told.again,
        "history_problem": told.problem,
    }
