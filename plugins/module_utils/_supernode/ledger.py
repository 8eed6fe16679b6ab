# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: which public key and which node id belong to which name, in a file that only root writes.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, dataclass, field, replace

from .._base import guarded
from .._base.errors import FedopsError
from .._base.layout import file, folder
from .._base.notation import counted
from .._base.pseudonyms import pseudonym_of
from .._base.records import RecordError, read_record, write_object

REGISTRY = "supernodes.json"
_SHORTEST_SECRET, _LONGEST_SECRET = 16, 4096  # bytes


class SuperNodeError(FedopsError):
    """What is asked for cannot be; the message says why and what to do."""


@dataclass(frozen=True)
class Member:
    """A line of the registry."""

    name: str
    fingerprint: str
    node_id: str
    site: str = ""  # what the inventory calls its site
    host: str = ""  # the host of the inventory that carries it
    public_key: str = ""  # in OpenSSH form, without a comment; a registry of before has none
    # What it is called where that is passed on. It follows from the name, so that it tells no two members apart.
    pseudonym: str = field(default="", compare=False)


class Ledger:
    """The file C(<home>/records/supernodes.json), which everybody may read and only root writes."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.path = os.path.join(folder(home, "records"), REGISTRY)
        # Where it was when the SuperLink's account wrote it.
        self.former = os.path.join(folder(home, "state"), REGISTRY)
        found = _read(self.path, (0, os.geteuid()))
        self.is_former = found is None
        self.members = [] if found is None else found
        if found is None:
            self.members = _read(self.former, None) or []

    def by_fingerprint(self, value: str | None) -> Member | None:
        return next((member for member in self.members if member.fingerprint == value), None)

    def by_name(self, name: str) -> list[Member]:
        return [member for member in self.members if member.name == name]

    def put(self, member: Member) -> None:
        """Add a member, in place of one with the same key."""
        others = [known for known in self.members if known.fingerprint != member.fingerprint]
        self._write([*others, member])

    def remove(self, member: Member) -> None:
        self._write([known for known in self.members if known != member])

    def move(self) -> None:
        """Leave the place where the SuperLink's account could write, and give each member its pseudonym."""
        if self.members and (self.is_former or not all(member.pseudonym for member in self.members)):
            self._write(self.members)
        if not self.is_former:
            guarded.remove(self.former)

    def _write(self, members: list[Member]) -> None:
        secret = federation_secret(self.home)
        called = (replace(member, pseudonym=pseudonym_of(member.name, secret)) for member in members)
        self.members = sorted(called, key=lambda member: member.name)
        os.makedirs(os.path.dirname(self.path), 0o755, exist_ok=True)
        write_object(self.path, {"supernodes": [asdict(member) for member in self.members]}, 0o644)
        self.is_former = False


def registered(home: str) -> list[Member]:
    """Return the members of the registry for those who only want to name them: none where it cannot be read."""
    try:
        return Ledger(home).members
    except SuperNodeError:
        return []


def federation_secret(home: str) -> bytes:
    """Return what pseudonyms are made with; a federation that has no such secret yet gets one. For root alone."""
    path = file(home, "pseudonym_secret")
    try:
        secret = guarded.read_bytes(path, _LONGEST_SECRET, (guarded.ROOT, os.geteuid()))
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        secret = os.urandom(32)
        guarded.write_bytes(path, secret, 0o600)
    if len(secret) < _SHORTEST_SECRET:
        raise SuperNodeError(
            f"{path} has {counted(len(secret), 'byte')} but must have {_SHORTEST_SECRET} or more to be a secret."
            " Restore it from a backup, or remove it to have new pseudonyms."
        )
    return secret


def _read(path: str, owners: t.Collection[int] | None) -> list[Member] | None:
    """Return the members in a registry; None when there is none."""
    try:
        value = read_record(path, owners)
    except RecordError as error:
        raise SuperNodeError(
            f"{path} cannot be read, and nothing else says which SuperNode has which name: {error}."
            " Restore it from a backup, or remove it to have it built anew from the database."
        ) from None
    if value is None:
        return None
    rows = value.get("supernodes")
    fields = ("name", "fingerprint", "node_id", "site", "host", "public_key", "pseudonym")
    return [
        Member(*(str(row.get(name, "")) for name in fields))
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and all(isinstance(row.get(name, ""), str) for name in fields)
    ]
