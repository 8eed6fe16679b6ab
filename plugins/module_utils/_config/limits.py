# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a training can be asked to be supervised, beside the training variables themselves.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number that says how a training is supervised."""

    least: int
    default: int | None  # None: there is none
    advice: str  # what to do about one that is less


NUMBERS: t.Mapping[str, Number] = {
    "num_rounds": Number(1, None, "Ask for a round, or leave it out for an app that has its own number."),
    "needed_nodes": Number(1, 1, "A round needs a SuperNode."),
    "attempts": Number(1, 10, "Give 1 to give the training up after the first run that finishes no round."),
    "session_interval": Number(0, 0, "Give 0 for sessions that begin with SuperNodes that come, and only then."),
    "stall_timeout": Number(1, 900, "Leave it unset for {default} seconds."),
    # As first_round_timeout makes it of the other defaults.
    "first_round_timeout": Number(1, 8700, "Leave it unset for {default} seconds."),
    "restarts_per_hour": Number(1, 30, "Leave it unset for {default}."),
    "timeout": Number(0, 0, "Give 0 to follow the training for as long as it takes."),
    "online_timeout": Number(0, 60, "Give 0 not to wait."),
    "smoke_batches": Number(1, 10, "Leave it unset for {default}."),
    "smoke_timeout": Number(1, 600, "Leave it unset for {default} seconds."),
    "model_megabytes": Number(0, 0, "Give 0 where it is not known."),
    "alert_waiting": Number(0, 600, "Give 0 to be told of every wait."),
    "alert_offline": Number(0, 300, "Give 0 to be told of every SuperNode at once."),
    "alert_certificate_days": Number(0, 21, "Give 0 to be told when a certificate has ended."),
    "alert_free_percent": Number(0, 10, "Give 0 not to be told."),
    "alert_interval": Number(1, 30, "Leave it unset for {default} seconds."),
    "alert_timeout": Number(1, 30, "Leave it unset for {default} seconds."),
    "alert_attempts": Number(1, 5, "Give 1 to have the program called once for each event."),
}
DEFAULT: t.Mapping[str, int] = {name: row.default for name, row in NUMBERS.items() if row.default is not None}


def range_problems(values: t.Mapping[str, t.Any], prefix: str = "") -> list[str]:
    """Return what is wrong with the numbers, a sentence each with what to do."""
    return [
        f"{prefix}{name} is {values[name]} but must be a number, at least {row.least}."
        f" {row.advice.format(default=row.default)}"
        for name, row in NUMBERS.items()
        if values.get(name) is not None and not _reaches(values[name], row.least)
    ]


def needed_nodes(training: t.Mapping[str, t.Any]) -> int:
    """Return how many SuperNodes a round needs by the training variables."""
    return max(training["min_available_clients"], training["min_fit_clients"])


def first_round_timeout(training: t.Mapping[str, t.Any], stall_timeout: float) -> float:
    """Return the longest that the first round can take, in seconds: what the app itself waits, and then a stall."""
    return training["node_wait_timeout"] + 2 * training["round_timeout"] + stall_timeout


def supervision_problems(given: t.Mapping[str, t.Any], asked: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the variables of the role C(training) that say how a training is supervised.

    C(given) has them without their prefix, C(asked) is what the module C(training_config) has returned.
    """
    found = range_problems(given, "training_")
    if not given.get("supervised", True):
        found.append(
            "training_supervised is false, but every training is supervised now. Remove it, and set training_attempts"
            " to 1 to give a training up after the first run that finishes no round."
        )
    return found + (_session_problems(asked) if given["mode"] == "continuous" else [])


def _session_problems(asked: t.Mapping[str, t.Any]) -> list[str]:
    """A session goes on where the one before has ended: by its checkpoint and its result."""
    found = []
    if not asked["training"]["checkpoint_enabled"]:
        found.append("fl_checkpoint_enabled is false. Set it to true: each session goes on from it.")
    if not asked["provable"]:
        found.append(
            f"the app {asked['app']} publishes no result. Use the app of the collection (app_overlay exchanges its"
            " model), give your own the kit (app_kit), or set training_mode=once."
        )
    if asked["training"].get("early_stopping_patience"):
        found.append(
            "fl_early_stopping_patience is set, which ends a training, and this one has no end. Set it to 0, or set"
            " training_mode=once."
        )
    if asked["training"].get("privacy", "none") != "none" and asked["training"].get("privacy_epsilon_budget"):
        found.append(
            "fl_privacy_epsilon_budget is set, which ends a training, and this one has no end. Set it to 0, or set"
            " training_mode=once."
        )
    return [f"training_mode is continuous but {problem}" for problem in found]


def _reaches(value: t.Any, least: float) -> bool:
    try:
        return least <= float(value) < math.inf
    except (TypeError, ValueError):
        return False
