# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of what a host cannot make again: files, and a database as it was at one moment.

What is read from folders of other accounts is a regular file of a bounded size, opened once.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import stat
import tarfile
import tempfile
import typing as t
from dataclasses import dataclass, field

from .._base import guarded
from .._base.layout import DATABASE
from .._base.reading import sha256_of
from .._flower.pinned import copies_to_keep
from .contents import ARCHIVED_SUPERLINK, CONTENTS, expect_all, place_for, rule_for
from .database import snapshot
from .kept import MOST_FILES, RECORD, Rule, wanted
from .sealing import Seal


@dataclass
class Kept:
    """What was put into an archive, and a sentence about each file that was not."""

    files: dict[str, dict[str, t.Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def create(
    path: str,
    base: str,
    seal: Seal,
    holds: str = ARCHIVED_SUPERLINK,
    names: t.Iterable[str] = (),
    required: t.Iterable[str] = (),
) -> Kept:
    """Keep what is on the list below C(base) in a sealed archive; of C(holds=files), the files with these names.

    What is not there is left out. What cannot be kept as it is, since it is a link, a pipe or too large, is told.
    """
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    kept = Kept()
    sought = list(names)
    if holds == ARCHIVED_SUPERLINK:
        apps, kept.problems = copies_to_keep(base)
        sought = [*wanted(lambda folder: _names(os.path.join(base, folder))), *apps]
    databases = [DATABASE] if holds == ARCHIVED_SUPERLINK else []
    with seal.writing(path) as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
        for name in databases:
            with tempfile.TemporaryDirectory(prefix="fedops-archive-") as folder:  # 0700, as it must be
                copy = os.path.join(folder, "copy.db")
                snapshot(os.path.join(base, name), copy)
                kept.files[name] = _add_file(archive, name, copy)
        for name in sorted(sought):
            if name in kept.files:
                continue
            try:
                entry = _add(archive, name, os.path.join(base, name), rule_for(name, holds))
            except FileNotFoundError:
                continue  # it is not there, or a training that goes on has given it up since
            except OSError as error:
                kept.problems.append(f"{name} is not in the backup: {_guarded_reason(error)}.")
                continue
            kept.files[name] = entry
        expect_all(required, {place_for(name, holds) for name in kept.files}, base)
        text = json.dumps({"version": 2, "files": kept.files, "databases": databases}, indent=2).encode()
        archive.addfile(_info(CONTENTS, len(text)), io.BytesIO(text))
    return kept


def _names(path: str) -> list[str]:
    """Return what lies in a folder; of one that is full of names, some of them."""
    try:
        with guarded.directory(path) as folder, os.scandir(folder) as found:
            return [entry.name for entry in itertools.islice(found, MOST_FILES)]
    except OSError:
        return []


def _guarded_reason(error: OSError) -> str:
    if isinstance(error, guarded.UnsafeFileError):
        return f"it {error.reason}"
    return error.strerror or str(error)


def _add(archive: tarfile.TarFile, name: str, path: str, rule: Rule) -> dict[str, t.Any]:
    """Add a small file: whole in memory, since one that grows has another size a moment later."""
    limit = rule.limit or RECORD
    with guarded.regular_file(path, limit) as stream:
        found = os.fstat(stream.fileno())
        if found.st_nlink > 1:
            raise guarded.UnsafeFileError(path, "has another name somewhere else, and may be anybody's")
        content = stream.read(found.st_size)
    archive.addfile(_info(name, len(content)), io.BytesIO(content))
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "mode": stat.S_IMODE(found.st_mode) & 0o777,
        "account": found.st_uid != 0,
    }


def _add_file(archive: tarfile.TarFile, name: str, path: str) -> dict[str, t.Any]:
    """Add a large file of our own."""
    with guarded.regular_file(path, None) as stream:
        size = os.fstat(stream.fileno()).st_size
        archive.addfile(_info(name, size), stream)
        digest = sha256_of(stream, size)
    return {"sha256": digest, "mode": 0o600, "account": True}


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
