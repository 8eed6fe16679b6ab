# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a checkpoint: what it must hold, and how to read it without ever trusting a damaged one.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import typing as t

from .._base.errors import FedopsError
from .._base.jsonable import MOST_VALUES, canonical_hash, has_too_many, is_whole
from .npy import MOST_DIMENSIONS, NAMES

LIMIT = 64 << 20  # bytes of a manifest; one with an array for every parameter group of the largest models has a few
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PATTERNS = {
    "training": re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"),
    "configuration_hash": re.compile(r"[A-Za-z0-9]{1,64}"),
    "sha256": _SHA256,
}
# What newer manifests hold besides: the user's code that made the model, and the one that its training began with.
_MAY_HOLD = {"code": _SHA256, "code_began": _SHA256}
_SIGNED = ("loss", "accuracy")
_LARGEST = 1 << 63  # of any number
_MOST_SHOWN = 200  # characters of a value in a message

# What every manifest must hold, and as which JSON types. A field that may be null says so.
_FIELDS: t.Mapping[str, tuple[type, ...]] = {
    "round": (int,),
    "num_rounds": (int,),
    "timestamp": (str,),
    "training": (str,),
    "configuration_hash": (str,),
    "configuration": (dict,),
    "strategy": (str,),
    "run_id": (str,),
    "num_arrays": (int,),
    "arrays": (list,),
    "state_prefix": (str,),
    "state_arrays": (list,),
    "sha256": (str,),
    "bytes": (int,),
    "parent": (str, type(None)),
    "loss": (float, int, type(None)),
    "accuracy": (float, int, type(None)),
    "manifest_sha256": (str,),
}


class CheckpointError(FedopsError):
    """A checkpoint is missing or damaged. The message names the file and what is wrong with it."""


class UnreadableError(CheckpointError):
    """The storage failed while a checkpoint was read, which says nothing about the checkpoint itself."""


def sealed(manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a manifest with the hash of its own values; that of the arrays would not tell that a loss has changed."""
    return {**manifest, "manifest_sha256": _seal(manifest)}


def load(path: str) -> t.Any:
    """Return the JSON value in a file."""
    try:
        with opened(path) as stream:
            text = stream.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise CheckpointError(f"{path} is no manifest: it has more than {LIMIT} bytes.")
        if has_too_many(text):
            raise CheckpointError(f"{path} is no manifest: it has more than {MOST_VALUES} values.")
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON.") from error


def check(path: str, number: int, manifest: t.Any) -> None:
    """Raise CheckpointError unless a manifest is whole and speaks of this round."""
    if not isinstance(manifest, dict):
        raise CheckpointError(f"{path} is not a manifest: it must hold a JSON object.")
    for field, types in _FIELDS.items():
        if field not in manifest:
            raise CheckpointError(f"{path} is not a manifest: {field} is missing.")
        value = manifest[field]
        if not isinstance(value, types) or isinstance(value, bool) or not _is_sensible(field, value):
            raise CheckpointError(f"{path} is not a manifest: {field} is {_shown(value)}.")
    for field, pattern in _MAY_HOLD.items():
        if field in manifest and not (isinstance(manifest[field], str) and pattern.fullmatch(manifest[field])):
            raise CheckpointError(f"{path} is not a manifest: {field} is {_shown(manifest[field])}.")
    if manifest["round"] != number:
        raise CheckpointError(f"{path} speaks of round {manifest['round']}, its name of round {number}.")
    try:
        seal = _seal(manifest)
    except RecursionError as error:
        raise CheckpointError(f"{path} is not a manifest: it is too deep.") from error
    if manifest["manifest_sha256"] != seal:
        raise CheckpointError(f"{path} is damaged: its values are not those that it was written with.")
    entries = manifest["arrays"] + manifest["state_arrays"]
    for entry in entries:
        if not _describes_an_array(entry):
            raise CheckpointError(f"{path} is not a manifest: an array in it lacks its name, shape or dtype.")
    if len({entry["name"] for entry in entries}) != len(entries):
        raise CheckpointError(f"{path} is not a manifest: two arrays in it have the same name.")
    if manifest["num_arrays"] != len(manifest["arrays"]):
        raise CheckpointError(
            f"{path} is not a manifest: num_arrays is {manifest['num_arrays']}, but it lists {len(manifest['arrays'])}."
        )


def opened(path: str) -> t.IO[bytes]:
    """Open a regular file to read it. A link is not followed, and a FIFO does not block: both are no checkpoint."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise CheckpointError(f"{path} is not a regular file.") from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise CheckpointError(f"{path} is not a regular file.")
    return open(descriptor, "rb")


def _seal(manifest: t.Mapping[str, t.Any]) -> str:
    # Over the values, not the text: a manifest that was indented anew is still the same.
    return canonical_hash({field: value for field, value in manifest.items() if field != "manifest_sha256"})


def _is_sensible(field: str, value: t.Any) -> bool:
    """Tell whether a value of the right type can be used: names become folders, and numbers are computed with."""
    if isinstance(value, (int, float)):
        return (field in _SIGNED or value >= 0) and abs(value) < _LARGEST
    pattern = _PATTERNS.get(field)
    return pattern is None or value is None or pattern.fullmatch(value) is not None


def _shown(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def _describes_an_array(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("dtype"), str)
        and isinstance(entry.get("shape"), list)
        and len(entry["shape"]) <= MOST_DIMENSIONS
        and all(is_whole(length) for length in entry["shape"])
        and all(0 <= length < _LARGEST for length in entry["shape"])
        and entry["dtype"] in NAMES
    )


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is larger than any number")
    return number


def _refuse_constant(text: str) -> t.NoReturn:
    # Python's reader takes NaN and Infinity, which are not JSON and would make every comparison false.
    raise ValueError(f"{text} is not JSON")
