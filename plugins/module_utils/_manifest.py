# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a checkpoint: what it must hold, and how to read it without ever trusting a damaged one.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import typing as t

LIMIT = 64 << 20  # bytes of a manifest; one with an array for every parameter group of the largest models has a few
_SHA256 = re.compile(r"[0-9a-f]{64}")

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


class CheckpointError(Exception):
    """A checkpoint is missing or damaged. The message names the file and what is wrong with it."""


class UnreadableError(CheckpointError):
    """The storage failed while a checkpoint was read, which says nothing about the checkpoint itself."""


def sealed(manifest: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a manifest with the hash of its own values; that of the arrays would not tell that a loss has changed."""
    return {**manifest, "manifest_sha256": _seal(manifest)}


def load(path: str) -> t.Any:
    """Return the JSON value in a file."""
    try:
        refuse_special_files(path)
        with opened(path) as stream:
            text = stream.read(LIMIT + 1)
        if len(text) > LIMIT:
            raise CheckpointError(f"{path} is no manifest: it has more than {LIMIT} bytes.")
        return json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
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
        if not isinstance(value, types) or isinstance(value, bool):
            raise CheckpointError(f"{path} is not a manifest: {field} is {value!r}.")
    if manifest["round"] != number:
        raise CheckpointError(f"{path} speaks of round {manifest['round']}, its name of round {number}.")
    if manifest["manifest_sha256"] != _seal(manifest):
        raise CheckpointError(f"{path} is damaged: its values are not those that it was written with.")
    if not _SHA256.fullmatch(manifest["sha256"]):
        raise CheckpointError(f"{path} is not a manifest: sha256 is {manifest['sha256']!r}.")
    for entry in manifest["arrays"] + manifest["state_arrays"]:
        if not _describes_an_array(entry):
            raise CheckpointError(f"{path} is not a manifest: an array in it lacks its name, shape or dtype.")
    if manifest["num_arrays"] != len(manifest["arrays"]):
        raise CheckpointError(
            f"{path} is not a manifest: num_arrays is {manifest['num_arrays']}, but it lists {len(manifest['arrays'])}."
        )


def refuse_special_files(path: str) -> None:
    """Raise CheckpointError for anything but a regular file."""
    # Opening a FIFO would hang for ever, and a module may read this directory as root.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise CheckpointError(f"{path} is not a regular file.")


def opened(path: str) -> t.IO[bytes]:
    """Open a file to read it; a FIFO that has taken its place since it was looked at does not block."""
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")


def _seal(manifest: t.Mapping[str, t.Any]) -> str:
    # Over the values, not the text: a manifest that was indented anew is still the same.
    values = {field: value for field, value in manifest.items() if field != "manifest_sha256"}
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def _describes_an_array(entry: t.Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("dtype"), str)
        and isinstance(entry.get("shape"), list)
    )


def _refuse_constant(text: str) -> t.NoReturn:
    # Python's reader takes NaN and Infinity, which are not JSON and would make every comparison false.
    raise ValueError(f"{text} is not JSON")
