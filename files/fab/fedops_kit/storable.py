# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which models can be sent and saved as they are. Others are refused by name, before a round is lost over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from flwr.app import Array

from .arrays import is_finite, view
from .errors import RunFailedError
from .flaws import LARGEST, unsound_flaw
from .knowledge._base.jsonable import harmless
from .knowledge._checkpoint.manifest import LIMIT

LONGEST_NAME = 60_000  # bytes; a member of an archive has 65,535, of which a strategy's state takes a few
_COPIES = 8  # how often a manifest may hold a name: for the model, and for whatever a strategy keeps of it
_SHOWN = 100  # characters of a name


def check_storable(model: Mapping[str, Array]) -> None:
    """Raise RunFailedError for a model that could not be restored from a checkpoint as it was."""
    for name, array in model.items():
        if flaw := name_flaw(name) or _numbers_flaw(array):
            raise RunFailedError(
                f"The model of the app cannot be kept: the array {harmless(repr(name), _SHOWN)} {flaw}."
                " Mend initial_arrays() in task.py."
            )
    length = sum(len(json.dumps(name)) for name in model)
    if _COPIES * length > LIMIT:
        raise RunFailedError(
            f"The model of the app cannot be kept: the names of its {len(model)} arrays have {length} characters, more"
            f" than {LIMIT // _COPIES}. Give them shorter names in task.py."
        )


def check_trainable(model: Mapping[str, Array], parameters: Iterable[str]) -> None:
    """Raise RunFailedError for a model that no reply would be taken to: all of them would hold what it holds."""
    for name in parameters:
        if not is_finite(view(model[name]), LARGEST):
            raise RunFailedError(
                f"The model cannot be trained: {unsound_flaw(harmless(name, _SHOWN), view(model[name]))} before the"
                " first round. Mend initial_arrays() in task.py, or name the array in buffers() if it is not learned,"
                " such as a mask."
            )


def name_flaw(name: str) -> str:
    """Say why an array cannot have this name in a checkpoint; nothing when it can."""
    if "\0" in name:
        return "has a NUL in its name, which ends a name in an archive"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "has half a character in its name, which is no text"
    return "" if size <= LONGEST_NAME else f"has a name of {size} bytes, more than {LONGEST_NAME}"


def _numbers_flaw(array: Array) -> str:
    try:
        view(array)
    except ValueError as error:
        return f"is {array.dtype}, and no array of numbers that can be sent: {error}"
    return ""
