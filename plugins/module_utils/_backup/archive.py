# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of what a host cannot make again: files, and a database as it was at one moment.

Whoever made an archive, it brings back only what is on a list, as the list has it: C(_kept) for a SuperLink host.
What is read from folders of other accounts is a regular file of a bounded size, opened once.
This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import pwd
import re
import shutil
import stat
import tarfile
import tempfile
import typing as t
from dataclasses import dataclass, field

from .._base import guarded
from .._base.jsonable import is_whole
from .._base.layout import APPS, DATABASE, Account
from .database import ArchiveError, check_database, snapshot
from .kept import BORN, FLAT, RECORD, RULES, Rule, folder_of, is_left_out, place_of, rule_of, wanted
from .sealing import Seal
from .tar import TarError, TarMember, members

__all__ = ["ArchiveError", "check_database", "create", "restore", "snapshot", "unpack", "verify"]

CONTENTS = "contents.json"
ARCHIVED_SUPERLINK, ARCHIVED_FILES = "superlink", "files"  # what an archive holds
HOLDS = (ARCHIVED_SUPERLINK, ARCHIVED_FILES)
MOST_FILES = 200000
_CHUNK = 1 << 20
_SHOWN = 10  # problems that are named
_FLAT = Rule(FLAT, None, 0o644)
_SPECIAL_BITS = 0o7000


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
    sought = wanted(lambda folder: _names(os.path.join(base, folder))) if holds == ARCHIVED_SUPERLINK else list(names)
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
                entry = _add(archive, name, os.path.join(base, name), _rule(name, holds))
            except FileNotFoundError:
                continue  # it is not there, or a training that goes on has given it up since
            except OSError as error:
                kept.problems.append(f"{name} is not in the backup: {_guarded_reason(error)}.")
                continue
            kept.files[name] = entry
        _expect(required, {_place(name, holds) for name in kept.files}, base)
        text = json.dumps({"version": 2, "files": kept.files, "databases": databases}, indent=2).encode()
        archive.addfile(_info(CONTENTS, len(text)), io.BytesIO(text))
    return kept


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
        about, place = contents["files"].get(name), _place(name, holds)
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
    _expect(required, entries, path)
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


def restore(
    path: str,
    base: str,
    seal: Seal,
    holds: str = ARCHIVED_SUPERLINK,
    user: str = APPS.name,
    names: t.Collection[str] = (),
    required: t.Iterable[str] = (),
) -> list[str]:
    """Bring back what is not there, all of it or nothing; return the names.

    A file that is there with other contents is refused. Owners are accounts of this host by their names, modes those of
    the list. C(user) is the account of the ServerApps. C(names) are those that may come, where that is no list of ours.
    """
    os.makedirs(base, 0o755, exist_ok=True)
    _expect_own(base)
    # Beside its final place, so that a rename is all that is left to do. Accounts may pass, as SQLite reads as one.
    staging = tempfile.mkdtemp(prefix=".restore-", dir=base)
    try:
        os.chmod(staging, 0o711)
        entries = unpack(path, staging, seal, holds, required)
        if foreign := sorted(set(entries) - set(names)) if names else []:
            raise ArchiveError(f"{path} holds {_listed(foreign)}, which is not asked for. Nothing was brought back.")
        owners = {name: _owners(_rule(entry["name"], holds).owner, user) for name, entry in entries.items()}
        present = [name for name in entries if guarded.status(os.path.join(base, name)) is not None]
        other = [name for name in present if not _is_same(os.path.join(base, name), entries[name])]
        is_fresh = guarded.status(os.path.join(base, DATABASE)) is None
        making_way = [name for name in other if is_fresh and holds == ARCHIVED_SUPERLINK and name in BORN]
        differing = [name for name in other if name not in making_way]
        if differing:
            differing.sort(key=lambda name: (name != DATABASE, name))  # the state says the most
            raise ArchiveError(
                f"{base} already has {_listed(differing)}, with other contents. Nothing was brought back."
                " Restore to a fresh host, or remove what is there first."
            )
        coming = sorted({*entries} - {*present} | {*making_way})
        for name in coming:
            staged, owner = entries[name]["staged"], owners[name]
            if owner is not None:
                os.chown(staged, *owner, follow_symlinks=False)
            os.chmod(staged, _mode(entries[name], holds))
        if DATABASE in coming:
            check_database(entries[DATABASE]["staged"], f"{DATABASE} in {path}")
        for name in coming:
            _make_folders(base, os.path.dirname(name), user)
            guarded.rename(entries[name]["staged"], os.path.join(base, name))
        return coming
    finally:
        shutil.rmtree(staging, ignore_errors=True)


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
                places.add(_place(member.name, holds))
            if len(sizes) > MOST_FILES or len(problems) > MOST_FILES:
                raise ArchiveError(f"{path} is not one of ours: it has more than {MOST_FILES} files.")
            if member.name == CONTENTS and not problem:
                text = b"".join(member.chunks())
    total = sum(sizes.values())
    if total > free:
        problems.append(f"it holds {total} bytes, and {free} are free")
    contents = _contents(text, path) if CONTENTS in sizes and not problems else None
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
        raise ArchiveError(f"{path} is not one of ours: {_listed(problems, '; ')}. Nothing was brought back.")
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
        rule = _find_rule(member.name, holds)
        if rule is None:
            return f"{shown} is not on the list of what is brought back"
        limit = rule.limit
    place = _place(member.name, holds)
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


def _contents(text: bytes, path: str) -> dict[str, t.Any]:
    """Return the list that is in an archive, in which every entry is as it must be."""
    try:
        contents = json.loads(text.decode("utf-8"))
        files = contents["files"]
        sound = all(
            re.fullmatch("[0-9a-f]{64}", entry["sha256"]) and _is_mode(entry["mode"]) for entry in files.values()
        )
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        sound, files = False, {}
    if not sound:
        raise ArchiveError(f"{path} is damaged: its list of contents cannot be read.")
    return {"files": files}


def _is_mode(value: t.Any) -> bool:
    return is_whole(value) and value >= 0


def _find_rule(name: str, holds: str) -> Rule | None:
    if holds == ARCHIVED_SUPERLINK:
        return rule_of(name)
    return _FLAT if re.fullmatch(_FLAT.pattern, name) else None


def _rule(name: str, holds: str) -> Rule:
    return _find_rule(name, holds) or RULES[0]


def _place(name: str, holds: str) -> str | None:
    if holds == ARCHIVED_SUPERLINK:
        return place_of(name)
    return name if name != CONTENTS else None


def _mode(entry: t.Mapping[str, t.Any], holds: str) -> int:
    """Return the mode of the list; of files that no list of ours has, their own, without what others may write."""
    if holds == ARCHIVED_SUPERLINK:
        return _rule(entry["name"], holds).mode
    return entry["mode"] & 0o644 | 0o600


def _owners(account: Account | None, user: str) -> tuple[int, int] | None:
    """Return an account of this host by its name; None where we are not root, and all of it is ours."""
    if os.geteuid() != 0:
        return None
    if account is None:
        return 0, 0
    name = user if account is APPS else account.name
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise ArchiveError(
            f"The account {name} is not on this host. Deploy it first (role fedops.flower.runtime)."
        ) from None
    return found.pw_uid, found.pw_gid


def _make_folders(base: str, folder: str, user: str) -> None:
    """Make the folders of a file that are not there, as the list has them."""
    path = ""
    for part in filter(None, folder.split("/")):
        path = os.path.join(path, part)
        whole = os.path.join(base, path)
        if guarded.status(whole) is None:
            owner, group, mode = folder_of(path)
            users, groups = _owners(owner, user), _owners(group, user)
            owners = (users[0], groups[1]) if users and groups else (os.geteuid(), os.getegid())
            guarded.make_directory(whole, mode, owners)


def _is_same(path: str, entry: t.Mapping[str, t.Any]) -> bool:
    """Tell whether a file is there with the very contents."""
    try:
        with guarded.regular_file(path, entry["bytes"]) as stream:
            return _hash(stream, entry["bytes"])[0] == entry["sha256"]
    except OSError:
        return False


def _names(path: str) -> list[str]:
    """Return what lies in a folder; of one that is full of names, some of them."""
    try:
        with guarded.directory(path) as folder, os.scandir(folder) as found:
            return [entry.name for entry in itertools.islice(found, MOST_FILES)]
    except OSError:
        return []


def _expect_own(base: str) -> None:
    """Refuse a directory in which somebody else could put something in the place of what is staged."""
    with guarded.directory(base) as descriptor:
        found = os.fstat(descriptor)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & stat.S_IWOTH:
        raise ArchiveError(
            f"{base} belongs to the user {found.st_uid}, who could change what is brought back. Deploy this host first"
            " (role fedops.flower.runtime)."
        )


def _expect(required: t.Iterable[str], there: t.Container[str | None], place: str) -> None:
    """Raise ArchiveError unless all that is required is there."""
    if lacking := [name for name in required if name not in there]:
        raise ArchiveError(f"{place} lacks {', '.join(lacking)}.")


def _free(folder: str) -> int:
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize


def _listed(names: t.Sequence[str], between: str = ", ") -> str:
    more = len(names) - _SHOWN
    return between.join(names[:_SHOWN]) + (f"{between}and {more} more" if more > 0 else "")


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
        stream.seek(0)
        digest = _hash(stream, size)[0]
    return {"sha256": digest, "mode": 0o600, "account": True}


def _hash(stream: t.IO[bytes], size: int) -> tuple[str, int]:
    digest, left = hashlib.sha256(), size
    while chunk := stream.read(min(_CHUNK, left)):
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest(), left


def _info(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
