# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Side files: what a task says goes with its model, such as the configuration of an adapter and a tokenizer.

A ServerApp leaves them in one record beside what it tells. They are read as a claim: names that a file of data can
have, and so many bytes.
This file is private to the collection and may change at any time. It needs neither NumPy nor Flower.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import typing as t

from .._base.jsonable import harmless, loads

SIDE_FILES = "side_files.json"
MOST_SIDE_BYTES = 48 << 20  # bytes of all files together
LONGEST_SIDE_RECORD = 2 * MOST_SIDE_BYTES  # bytes: base64 takes four for three

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENDINGS = (".csv", ".jinja", ".json", ".md", ".model", ".tiktoken", ".txt")  # whoever loads one runs no code of it
_MOST_FILES = 64
_HASH, _FILES = "configuration_hash", "files"


def encoded(files: t.Mapping[str, bytes]) -> dict[str, str]:
    """Return files as JSON holds them; ValueError, as the end of a sentence, for what cannot be side files."""
    for name, content in files.items():
        if not isinstance(content, bytes):
            raise ValueError(f"{_shown(name)} is {type(content).__name__}, and no bytes")
    _check(files)
    return {name: base64.b64encode(content).decode("ascii") for name, content in sorted(files.items())}


def decoded(text: bytes, configuration_hash: str) -> dict[str, bytes] | None:
    """Return the side files in a record; None where they are of another configuration, ValueError for no record."""
    record = loads(text)
    files = record.get(_FILES) if isinstance(record, dict) else None
    if not isinstance(files, dict) or not all(isinstance(one, str) for one in files.values()):
        raise ValueError("it is no record of files")
    if record.get(_HASH) != configuration_hash:
        return None
    try:
        found = {name: base64.b64decode(one, validate=True) for name, one in files.items()}
    except binascii.Error:
        raise ValueError("a file in it is no base64") from None
    _check(found)
    return found


def _check(files: t.Mapping[str, bytes]) -> None:
    for name in files:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or os.path.splitext(name)[1] not in _ENDINGS:
            raise ValueError(
                f"{_shown(name)} is no name for a file beside a model: 1 to 64 letters, digits, dots, underscores and"
                f" hyphens, with one of the endings {', '.join(_ENDINGS)}"
            )
    size = sum(map(len, files.values()))
    if len(files) > _MOST_FILES or size > MOST_SIDE_BYTES:
        raise ValueError(
            f"{len(files)} files of {size} bytes together are more than the {_MOST_FILES} files and"
            f" {MOST_SIDE_BYTES >> 20} MiB that can go with a model"
        )


def _shown(name: t.Any) -> str:
    return harmless(ascii(name), 100)
