# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading one checkpoint without ever trusting a damaged one.

This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import os

from .._base.reading import sha256_of
from .checkpoint import Checkpoint
from .manifest import CheckpointError, UnreadableError, check, load, opened
from .names import arrays_name, manifest_name, round_of
from .npz import members


def verify(path: str) -> Checkpoint:
    """Return the checkpoint at C(path) (arrays, manifest or the link to the latest), or raise CheckpointError.

    Everything the manifest promises is checked: size, SHA-256 and the names of the arrays.
    """
    real = os.path.realpath(path)
    number = round_of(os.path.basename(real))
    if number is None:
        raise CheckpointError(f"{path} is not a checkpoint: its name must look like {arrays_name(5)}.")
    checkpoint = read_checkpoint(os.path.dirname(real), number)
    verify_arrays(checkpoint)
    return checkpoint


def read_checkpoint(directory: str, number: int) -> Checkpoint:
    """Read one manifest and check that it is whole and speaks of this file."""
    path = os.path.join(directory, manifest_name(number))
    try:
        os.lstat(path)
    except FileNotFoundError:
        # The manifest is written after the arrays: a crash in between leaves exactly this.
        raise CheckpointError(f"{path} is missing, so {arrays_name(number)} cannot be trusted.") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    manifest = load(path)
    check(path, number, manifest)
    return Checkpoint(os.path.join(directory, arrays_name(number)), manifest)


def verify_arrays(checkpoint: Checkpoint) -> None:
    """Check the arrays against the manifest; the cheap checks come first."""
    path, manifest = checkpoint.path, checkpoint.manifest
    try:
        with opened(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size != manifest["bytes"]:
                raise CheckpointError(f"{path} is damaged: it has {size} bytes, its manifest says {manifest['bytes']}.")
            digest = sha256_of(stream, size)
            if digest != checkpoint.sha256:
                raise CheckpointError(
                    f"{path} is damaged: its SHA-256 is {digest}, its manifest says {checkpoint.sha256}."
                )
            members(stream, size, checkpoint.members)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing, though its manifest is there.") from error
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}.") from error
