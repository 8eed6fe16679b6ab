# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mirror of a checkpoint directory must hold: what is asked for, what is missing there, what is too much.

In the bucket each training has a folder of its own, NAME-HASH or NAME-HASH.CODE as the app names what it puts aside,
with the files as they are on the host.
This file is private to the collection and may change at any time. It judges; C(_mirroring) and C(_fetching) act.
"""

from __future__ import annotations

import re
import typing as t
from itertools import zip_longest
from urllib.parse import urlsplit

from .._checkpoint.checkpoint import Checkpoint
from .._checkpoint.names import arrays_name, manifest_name
from .seal import seal_name

# What lies in the bucket: of each folder the files and their sizes.
Listing = t.Mapping[str, t.Mapping[str, int]]
# What was seen to arrive: of each folder the rounds, and the seal that went with each.
Copied = t.Mapping[str, t.Mapping[str, str]]

_ARRAYS = re.compile(r"checkpoint_round_([1-9][0-9]*)\.npz")
_SEAL = re.compile(r"checkpoint_round_([1-9][0-9]*)\.seal")
_MANIFEST = re.compile(r"checkpoint_round_([1-9][0-9]*)\.json")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*)?")
_LEAST_SECRET = 32
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_WORD = re.compile(r"[A-Za-z0-9._-]+")
_KEY = re.compile(r"[!-&(-\[\]-~]+")  # printable, but for what ends or escapes a quoted value


def problems(wanted: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the variables C(checkpoints_mirror_*), one sentence each, without any key."""
    text = {key: str(wanted[key] or "") for key in ("bucket", "prefix", "endpoint", "ca_file", "provider", "region")}
    found = []
    if not text["bucket"]:
        found.append(
            "checkpoints_mirror is true, which needs checkpoints_mirror_bucket, the name of a bucket that exists."
        )
    elif not _BUCKET.fullmatch(text["bucket"]):
        found.append(
            f"checkpoints_mirror_bucket is {text['bucket']!r} but must be the name of a bucket: 3 to 63 lower-case"
            " letters, digits, dots and hyphens. A folder in it belongs to checkpoints_mirror_prefix."
        )
    if not _PREFIX.fullmatch(text["prefix"]) or {".", ".."} & set(text["prefix"].split("/")):
        found.append(
            f"checkpoints_mirror_prefix is {text['prefix']!r} but must be a folder in the bucket, such as"
            " hospitals/flower, of letters, digits, dots, hyphens and underscores. Empty means the bucket itself."
        )
    found += _endpoint_problems(text["endpoint"])
    if text["ca_file"] and not text["ca_file"].startswith("/"):
        found.append(
            f"checkpoints_mirror_ca_file is {text['ca_file']!r} but must be the absolute path of a file on the"
            " SuperLink host."
        )
    for key in ("provider", "region"):
        if text[key] and not _WORD.fullmatch(text[key]):
            found.append(f"checkpoints_mirror_{key} is {text[key]!r} but must be one word.")
    for key in ("access_key_id", "secret_access_key"):
        if not _KEY.fullmatch(str(wanted[key] or "")):
            found.append(
                f"checkpoints_mirror_{key} must be one word without blanks, quotes and backslashes."
                " Set it, from a vault."
            )
    secret = str(wanted.get("seal_secret") or "")
    if secret and not (_KEY.fullmatch(secret) and len(secret) >= _LEAST_SECRET):
        found.append(
            f"checkpoints_mirror_seal_secret must be one word of at least {_LEAST_SECRET} letters, without blanks,"
            " quotes and backslashes. Set it, from a vault, or leave it empty: the host makes one."
        )
    for key, least in (("keep", 0), ("interval", 5)):
        if not _is_whole(wanted[key]) or int(wanted[key]) < least:
            found.append(f"checkpoints_mirror_{key} is {wanted[key]!r} but must be a whole number, at least {least}.")
    return found


def listing(entries: t.Iterable[t.Mapping[str, t.Any]]) -> dict[str, dict[str, int]]:
    """Sort what C(rclone lsjson) lists by folders; what lies deeper is not ours to look at."""
    folders: dict[str, dict[str, int]] = {}
    for entry in entries:
        folder, slash, name = str(entry["Path"]).partition("/")
        if slash and "/" not in name and not entry.get("IsDir"):
            folders.setdefault(folder, {})[name] = int(entry["Size"])
    return folders


def rounds(files: t.Mapping[str, int]) -> list[int]:
    """Return the rounds of a folder that have a manifest and arrays, ascending."""
    return [number for number in _numbers(_MANIFEST, files) if arrays_name(number) in files]


def missing(
    local: t.Iterable[Checkpoint], remote: Listing, copied: Copied, seal: t.Callable[[Checkpoint], str]
) -> list[Checkpoint]:
    """Return the checkpoints that are not in the mirror as they are here; the newest of each, worth most, first."""
    trainings: dict[str, list[Checkpoint]] = {}
    for checkpoint in sorted(local, key=lambda checkpoint: checkpoint.round, reverse=True):
        trainings.setdefault(checkpoint.label, []).append(checkpoint)
    ranked = [checkpoint for rank in zip_longest(*trainings.values()) for checkpoint in rank if checkpoint]
    return [checkpoint for checkpoint in ranked if not _arrived(checkpoint, remote, copied, seal)]


def overtaken(local: t.Sequence[Checkpoint], remote: Listing, doubtful: t.Collection[int] = ()) -> dict[str, list[int]]:
    """Return the rounds of each training that are newer than its newest here.

    The training has begun again before them. A host that starts from the mirror must not take them for its newest.
    C(doubtful) are rounds that have files here but no manifest that can be read. Whose they are nobody knows, so any
    training may have come that far, and the mirror may have the only good copy.
    """
    newest: dict[str, int] = {}
    for checkpoint in local:
        folder = checkpoint.label
        newest[folder] = max(checkpoint.round, newest.get(folder, 0), *doubtful)
    found = {
        folder: [number for number in rounds(remote.get(folder, {})) if number > last]
        for folder, last in newest.items()
    }
    return {folder: numbers for folder, numbers in found.items() if numbers}


def superfluous(
    local: t.Sequence[Checkpoint], remote: Listing, keep: int, doubtful: t.Collection[int] = ()
) -> dict[str, list[int]]:
    """Return the rounds that retention gives up: all but the newest, and those that the host itself has files of.

    Arrays or a seal without a manifest are of no use to anybody: the copying was cut off, and the host has removed them
    since.

    Only of trainings that the host has checkpoints of: what another one has left is not its to remove.
    """
    here: dict[str, set[int]] = {}
    for checkpoint in local:
        here.setdefault(checkpoint.label, set()).add(checkpoint.round)
    found = {}
    for folder, kept in here.items():
        whole = rounds(remote.get(folder, {}))
        given_up = whole[:-keep] if keep else []
        parts = remote.get(folder, {})
        halves = {*_numbers(_ARRAYS, parts), *_numbers(_SEAL, parts)} - set(whole)
        found[folder] = sorted({*given_up, *halves} - kept - set(doubtful))
    return {folder: numbers for folder, numbers in found.items() if numbers}


def _numbers(pattern: re.Pattern[str], names: t.Iterable[str]) -> list[int]:
    return sorted(int(match.group(1)) for match in map(pattern.fullmatch, names) if match)


def _arrived(checkpoint: Checkpoint, remote: Listing, copied: Copied, seal: t.Callable[[Checkpoint], str]) -> bool:
    folder, number = checkpoint.label, checkpoint.round
    files = remote.get(folder, {})
    return (
        copied.get(folder, {}).get(str(number)) == seal(checkpoint)
        and files.get(arrays_name(number)) == checkpoint.manifest["bytes"]
        and manifest_name(number) in files
        and seal_name(number) in files
    )


def _endpoint_problems(endpoint: str) -> list[str]:
    if not endpoint:
        return []
    said = f"checkpoints_mirror_endpoint is {endpoint!r} but must"
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or not _KEY.fullmatch(endpoint) or parts.scheme not in ("http", "https") or parts.username:
        return [f"{said} be a URL such as https://s3.example.org. Leave it empty for Amazon."]
    if parts.scheme == "http" and host not in _LOOPBACK:
        return [
            f"{said} begin with https: models would travel in clear. http is for this host itself (127.0.0.1) alone."
        ]
    return []


def _is_whole(value: t.Any) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"[0-9]+", str(value)) is not None
