# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an archive that may be anybody's: names, kinds, sizes and bytes are held against the list.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import typing as t

from .._base import guarded
from .._base.layout import DATABASE
from .apps import check_apps
from .contents import ARCHIVED_SUPERLINK, CONTENTS, expect_all, find_rule, listed, place_for, read_contents
from .database import ArchiveError, check_database
from .kept import MOST_FILES, RECORD, is_left_out
from .sealing import Seal
from .tar import TarError, TarMember, members

_SPECIAL_BITS = 0o7000


def unpack(
    path: str, target: str, seal: Seal, holds: str = ARCHIVED_SUPERLINK, required: t.Iterable[str] = ()
) -> dict[str, dict[str, t.Any]]:
    """Unpack an archive into an empty folder and verify every byte of it; return what is in it, by its place on a host.

    Before anything is written, every name, kind and size in it is held against the list; all that is wrong is told at
    once. In the folder each file has a number for its name, C(staged) of its entry.
    """
    try:
        sizes, contents = _scan(path, seal, holds, _free(target))
        found = _take(path, target, seal, sizes)
    except TarError as error:
        raise ArchiveError(f"{path} is damaged: {error}.") from error
    entries = {}
    for number, name in enumerate(sizes):
        about, place = contents["files"].get(name), place_for(name, holds)
        if about is None or place is None:
            continue
        if found[name] != about["sha256"]:
            raise ArchiveError(f"{path} is damaged: {name} in it is not what its list says.")
        entries[place] = {
            "sha256": about["sha256"],
            "mode": about["mode"],
            "bytes": sizes[name],
            "name": name,
            "staged": os.path.join(target, str(number)),
        }
    expect_all(required, entries, path)
    check_apps(entries, path)
    return entries


def verify(
    path: str, seal: Seal, holds: str = ARCHIVED_SUPERLINK, required: t.Iterable[str] = ()
) -> dict[str, dict[str, t.Any]]:
    """Verify an archive without leaving anything of it behind."""
    with tempfile.TemporaryDirectory(prefix="fedops-archive-") as folder:
        entries = unpack(path, folder, seal, holds, required)
        if DATABASE in entries:
            check_database(entries[DATABASE]["staged"], f"{DATABASE} in {path}")
        return entries


def _scan(path: str, seal: Seal, holds: str, free: int) -> tuple[dict[str, int], dict[str, t.Any]]:
    """Read all of an archive without writing anything; return the sizes of its files, and its list of them."""
    sizes: dict[str, int] = {}
    problems: list[str] = []
    places: set[str | None] = set()
    text = b""
    with seal.reading(path) as stream:
        for member in members(stream):
            problem = _problem(member, holds, sizes, places)
            if problem:
                problems.append(problem)
            else:
                sizes[member.name] = member.size
                places.add(place_for(member.name, holds))
            if len(sizes) > MOST_FILES or len(problems) > MOST_FILES:
                raise ArchiveError(f"{path} is not one of ours: it has more than {MOST_FILES} files.")
            if member.name == CONTENTS and not problem:
                text = b"".join(member.chunks())
    total = sum(sizes.values())
    if total > free:
        problems.append(f"it holds {total} bytes, and {free} are free")
    contents = read_contents(text, path) if CONTENTS in sizes and not problems else None
    if contents is None and not problems:
        raise ArchiveError(f"{path} is damaged: it has no list of its contents.")
    sizes.pop(CONTENTS, None)
    if contents is not None:
        problems += [
            f"{name} has the mode {entry['mode']:04o}"
            for name, entry in contents["files"].items()
            if entry["mode"] & _SPECIAL_BITS
        ]
        if not problems and set(contents["files"]) != set(sizes):
            raise ArchiveError(f"{path} is damaged: it does not hold what its list says.")
    if problems:
        raise ArchiveError(f"{path} is not one of ours: {listed(problems, '; ')}. Nothing was brought back.")
    return sizes, contents or {}


def _problem(member: TarMember, holds: str, known: t.Container[str], places: t.Container[str | None]) -> str:
    """Say why a member may not be in an archive; empty when it may."""
    shown = repr(member.name)
    if len(shown) > 200:
        shown = shown[:200] + "…"
    if member.kind:
        return f"{shown} is {member.kind}"
    if member.mode & _SPECIAL_BITS:
        return f"{shown} has the mode {member.mode:04o}"
    if member.name == CONTENTS:
        limit: int | None = RECORD
    elif holds == ARCHIVED_SUPERLINK and is_left_out(member.name):
        limit = RECORD
    else:
        rule = find_rule(member.name, holds)
        if rule is None:
            return f"{shown} is not on the list of what is brought back"
        limit = rule.limit
    place = place_for(member.name, holds)
    if member.name in known or (place is not None and place in places):
        return f"{shown} is there twice"
    if limit is not None and member.size > limit:
        return f"{shown} has {member.size} bytes, more than the {limit} that are brought back"
    return ""


def _take(path: str, target: str, seal: Seal, sizes: t.Mapping[str, int]) -> dict[str, str]:
    """Write the files of an archive that was scanned, and return the hash of each."""
    numbers = {name: number for number, name in enumerate(sizes)}
    found = {}
    with guarded.directory(target) as folder, seal.reading(path) as stream:
        for member in members(stream):
            if member.name == CONTENTS:
                continue
            if sizes.get(member.name) != member.size or member.kind or member.name in found:
                raise ArchiveError(f"{path} has changed while it was read.")
            digest = hashlib.sha256()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(str(numbers[member.name]), flags, 0o600, dir_fd=folder)
            with open(descriptor, "wb") as staged:
                for chunk in member.chunks():
                    digest.update(chunk)
                    staged.write(chunk)
                staged.flush()
                os.fsync(descriptor)
            found[member.name] = digest.hexdigest()
    if set(found) != set(sizes):
        raise ArchiveError(f"{path} has changed while it was read.")
    return found


def _free(folder: str) -> int:
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize
