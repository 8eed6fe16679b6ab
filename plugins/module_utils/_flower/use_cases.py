# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that the collection brings for its own app: what each is, what it needs, and which files make it up.

One that is not the app's own is an overlay: a C(task.py) and a C(pyproject.toml) below C(files/use_cases/NAME).

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .._base.errors import FedopsError
from .app import PYPROJECT, TASK

COLLECTION = os.path.realpath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))
OWN_APP = os.path.join(COLLECTION, "files", "fab")
KIT = os.path.join(OWN_APP, "fedops_kit")  # what the own app is built on, and any other may have
FOLDER = "files/use_cases"  # in the collection
APP_PACKAGE = "fedops_app"  # of the app, which has its task

OWN_TASK = "digits"  # of the app as it is


class UseCaseError(FedopsError):
    """No such use case, or one that does not fit the app."""


@dataclass(frozen=True)
class Largest:
    """The most that a training variable may be with a use case, whose own default may be more."""

    variable: str
    value: float
    why: str
    advice: float


@dataclass(frozen=True)
class UseCase:
    """A task that is shipped."""

    name: str
    summary: str
    data: tuple[str, ...]  # of a site, one of these below its data directory
    packages: tuple[str, ...] = ()  # that have to be installed beside those of the app
    largest: tuple[Largest, ...] = ()


USE_CASES: Mapping[str, UseCase] = {
    row.name: row
    for row in (
        UseCase(OWN_TASK, "Handwritten digits of 8 by 8 pixels, a small network in NumPy.", ("train.npz",)),
        UseCase(
            "image-classification",
            "Images in classes of your own, a convolutional network in NumPy.",
            ("train.npz", "train"),
        ),
        UseCase(
            "anomaly-detection",
            "Rows of sensors, of which those that are unusual are found: an autoencoder in NumPy.",
            ("train.csv", "train.npz"),
        ),
        UseCase(
            "llm-fine-tuning",
            "LoRA adapters of a language model of your own, in PyTorch; only the adapters travel.",
            ("train.jsonl",),
            packages=("torch>=2.9,<3", "transformers>=5.0,<6", "peft>=0.18,<1"),
            largest=(Largest("client_lr", 0.01, "AdamW moves every weight about so far in each step", 0.0002),),
        ),
    )
}


def use_case(name: object) -> UseCase:
    """Return the use case of this name; nothing given is the app as it is.

    :raises UseCaseError: when there is none.
    """
    text = str(name or OWN_TASK)
    if text not in USE_CASES:
        near = difflib.get_close_matches(text.lower()[:64].replace("_", "-"), USE_CASES, 1)
        hint = f" Did you mean {near[0]}?" if near else " For a task of your own, leave it unset and set app_overlay."
        raise UseCaseError(f"app_use_case is {text[:64]!r} but must be one of {', '.join(USE_CASES)}.{hint}")
    return USE_CASES[text]


def overlay_of(name: object, app: str = OWN_APP, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the files that make the app C(app) do this, by their paths in it; those of C(own) come before ours.

    :raises UseCaseError: when there is no such use case, or the app is another one than ours.
    """
    chosen = use_case(name)
    own = dict(own or {})
    if chosen.name == OWN_TASK:
        return own
    if os.path.realpath(app) != OWN_APP:
        raise UseCaseError(
            f"app_use_case is {chosen.name} but app_path is {app}: it picks a task of the collection's own app. Leave"
            " one of them unset."
        )
    folder = os.path.join(COLLECTION, FOLDER, chosen.name)
    return {f"{APP_PACKAGE}/{TASK}": os.path.join(folder, TASK), PYPROJECT: os.path.join(folder, PYPROJECT), **own}


# Variables that say what is trained: which app, which task of ours, and the contexts that may have the task.
_OF_APPS = ("app_path", "app_overlay")
_OF_TASKS = ("app_use_case", "fl_use_case")
CONTEXTS = ("training_context", "opennebula_context_found")
ASKED_BY = (*_OF_APPS, *_OF_TASKS, *CONTEXTS)

IN_CONTEXT = "FL_USE_CASE"  # of OpenNebula
NO_USE_CASE = ("none", "custom")  # what means in a context that there is none


def asked_of(hosts: Sequence[Mapping[str, object]]) -> str:
    """Return the name of the use case that the variables of hosts ask for, the first host's before the others'.

    Nothing where they ask for none, or bring an app or a task of their own, which has data of its own.
    """
    if any(variables.get(name) for variables in hosts for name in _OF_APPS):
        return ""
    asked = (variables.get(name) for variables in hosts for name in _OF_TASKS)
    contexts = (variables.get(name) for variables in hosts for name in CONTEXTS)
    told = [context.get(IN_CONTEXT) for context in contexts if isinstance(context, Mapping)]
    chosen = (name for name in told if str(name).strip().lower() not in NO_USE_CASE)
    return str(next(filter(None, (*asked, *chosen)), ""))


def variable_problems(name: object, values: Mapping[str, object]) -> list[str]:
    """Return what is wrong with training variables for this use case, a sentence each with what to do."""
    return [
        f"fl_{row.variable} is {values[row.variable]} but must be at most {row.value:g} with app_use_case"
        f" {use_case(name).name}: {row.why}. Set it to {row.advice:g}, for example."
        for row in use_case(name).largest
        if float(str(values.get(row.variable, 0))) > row.value
    ]
