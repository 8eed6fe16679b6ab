# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is a SuperNode of this federation: keys and names on our side, node ids on Flower's.

Flower lists node ids without keys or names, so what belongs together is kept in a ledger beside the state database.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import sqlite3
import typing as t
from dataclasses import asdict, dataclass, replace

from ._flwr import KEY_ALREADY_IN_USE, Flwr, FlwrError, SuperNode
from ._trainings import read_object, write_object

UNREGISTERED = "unregistered"
REGISTERED = "registered"

CURVES = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")


class SuperNodeError(Exception):
    """What is asked for cannot be; the message says why and what to do."""


@dataclass(frozen=True)
class Member:
    """A line of the ledger."""

    name: str
    fingerprint: str
    node_id: str


@dataclass(frozen=True)
class Wanted:
    """A SuperNode as asked for. A key is not needed to have one absent."""

    name: str
    public_key: str | None
    state: str

    @property
    def fingerprint(self) -> str | None:
        return fingerprint(self.public_key) if self.public_key else None


class Ledger:
    """The file C(<home>/state/supernodes.json)."""

    def __init__(self, home: str) -> None:
        self.path = os.path.join(home, "state", "supernodes.json")
        rows = (read_object(self.path) or {}).get("supernodes", [])
        self.members = [Member(str(row["name"]), str(row["fingerprint"]), str(row["node_id"])) for row in rows]

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

    def _write(self, members: list[Member]) -> None:
        self.members = sorted(members, key=lambda member: member.name)
        write_object(self.path, {"supernodes": [asdict(member) for member in self.members]})


class Registrar:
    """Brings the SuperNodes that Flower knows to what is asked for, with one listing for all of them."""

    def __init__(self, flwr: Flwr, nodes: t.Iterable[SuperNode], check_mode: bool = False) -> None:
        self.flwr = flwr
        self.ledger = Ledger(flwr.home)
        self.nodes = {node.node_id: node for node in nodes}
        self.check_mode = check_mode
        self.kept: set[str | None] = set()

    def ensure(self, wanted: t.Sequence[Wanted]) -> t.Iterator[dict[str, t.Any]]:
        """Have SuperNodes as asked for, one after the other; tell what became of each."""
        # A key may move from one name to another, and must not be unregistered on the way: that is final.
        self.kept = {one.fingerprint for one in wanted if one.state == "present"}
        for one in wanted:
            yield self._present(one) if one.state == "present" else self._absent(one)

    def _present(self, wanted: Wanted) -> dict[str, t.Any]:
        own = self.ledger.by_fingerprint(wanted.fingerprint)
        namesakes = self.ledger.by_name(wanted.name)
        replaced = [member for member in namesakes if member.fingerprint not in self.kept]
        if own and own.node_id in self.nodes:
            if self._status(own) == UNREGISTERED:
                raise _burnt(wanted)
            changed = own.name != wanted.name or bool(replaced)
            member = replace(own, name=wanted.name)
            if changed and not self.check_mode:
                self.ledger.put(member)
        else:
            # A member that the SuperLink does not list is from a database that is gone.
            changed = True
            member = self._register(wanted)
        for old in replaced:
            self._drop(old)
        return _outcome(wanted, member, self._status(member), changed)

    def _register(self, wanted: Wanted) -> Member:
        fingerprint_ = wanted.fingerprint or ""
        if self.check_mode:
            return Member(wanted.name, fingerprint_, "")
        try:
            node_id = self.flwr.register(wanted.name, wanted.public_key or "")
        except FlwrError as error:
            if error.code != KEY_ALREADY_IN_USE:
                raise
            node_id = self._recover(wanted)
        member = Member(wanted.name, fingerprint_, node_id)
        # At once: a key whose node id is forgotten can neither be used again nor be unregistered.
        self.ledger.put(member)
        return member

    def _recover(self, wanted: Wanted) -> str:
        """Find the node id of a key that Flower knows and the ledger does not."""
        known = {fingerprint(key): node_id for node_id, key in stored_keys(self.flwr.home).items()}
        node_id = known.get(wanted.fingerprint or "")
        if node_id is None:
            raise SuperNodeError(
                f"The key of {wanted.name} is already in use, but {self.ledger.path} does not say by which node."
                " Make a new key for this SuperNode, or restore that file."
            )
        if node_id in self.nodes and self.nodes[node_id].status == UNREGISTERED:
            raise _burnt(wanted)
        return node_id

    def _absent(self, wanted: Wanted) -> dict[str, t.Any]:
        own = self.ledger.by_fingerprint(wanted.fingerprint)
        found = dict.fromkeys([*self.ledger.by_name(wanted.name), *([own] if own else [])])
        members = [member for member in found if member.fingerprint not in self.kept]
        for member in members:
            self._drop(member)
        last = members[-1] if members else Member(wanted.name, wanted.fingerprint or "", "")
        return _outcome(wanted, last, "absent", bool(members))

    def _drop(self, member: Member) -> None:
        if self.check_mode:
            return
        if self._status(member) != UNREGISTERED:
            self.flwr.unregister(member.node_id)
        self.ledger.remove(member)

    def _status(self, member: Member) -> str:
        node = self.nodes.get(member.node_id)
        return node.status if node else REGISTERED


def list_supernodes(flwr: Flwr, unregistered: bool = False) -> list[dict[str, t.Any]]:
    """Return the SuperNodes that Flower lists with their names, those with a name first."""
    members = {member.node_id: member for member in Ledger(flwr.home).members}
    rows = []
    for node in flwr.supernodes():
        if node.status == UNREGISTERED and not unregistered:
            continue
        member = members.get(node.node_id)
        name = {"name": member.name if member else None, "fingerprint": member.fingerprint if member else None}
        rows.append({**name, **asdict(node)})
    return sorted(rows, key=lambda row: (row["name"] is None, row["name"] or "", row["node_id"]))


def named(nodes: t.Iterable[t.Mapping[str, t.Any]], online: bool) -> tuple[str, ...]:
    """Return the names of the SuperNodes that are online, or of those that are not."""
    return tuple(str(node["name"] or node["node_id"]) for node in nodes if (node["status"] == "online") == online)


def check(wanted: t.Sequence[Wanted]) -> list[str]:
    """Return every problem of what is asked for, before anything is done."""
    problems = []
    for index, one in enumerate(wanted):
        if not one.name.strip():
            problems.append(f"name of SuperNode {index + 1} is empty. Give each SuperNode a name, such as its host's.")
        if one.state == "present":
            problems.extend(_key_problems(one))
    present = [one for one in wanted if one.state == "present"]
    problems.extend(_repeated("name", [one.name for one in wanted], "Name each SuperNode once."))
    keys = [" ".join((one.public_key or "").split()[:2]) for one in present]
    problems.extend(_repeated("public_key", [key for key in keys if key], "Make a key of its own for each SuperNode."))
    return problems


def fingerprint(public_key: str) -> str:
    """Return the SHA-256 fingerprint of an OpenSSH public key, as C(ssh-keygen -l) shows it."""
    blob = base64.b64decode(public_key.split()[1], validate=True)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def stored_keys(home: str) -> dict[str, str]:
    """Return the OpenSSH public key of each node id in the state database; empty when it cannot be read.

    This looks behind Flower's interface, and only when the ledger is lost: nothing but the database knows then.
    """
    path = os.path.join(home, "state", "state.db")
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            rows = connection.execute("SELECT node_id, public_key FROM node WHERE public_key IS NOT NULL").fetchall()
        finally:
            connection.close()
    except sqlite3.Error:
        return {}
    keys = ((node_id, openssh_key(bytes(pem))) for node_id, pem in rows)
    # SQLite has no unsigned numbers: Flower stores the upper half of the node ids as negative ones.
    return {str(node_id % (1 << 64)): key for node_id, key in keys if key}


def openssh_key(pem: bytes) -> str | None:
    """Return the OpenSSH form of an elliptic curve public key in PEM, or None when it is something else."""
    try:
        der = base64.b64decode(b"".join(pem.split(b"-----")[2].split()), validate=True)
    except (binascii.Error, IndexError):
        return None
    # The point is the end of the structure; its length tells the curve.
    for curve, size in (("nistp256", 65), ("nistp384", 97), ("nistp521", 133)):
        point = der[-size:]
        if len(der) - size in (23, 26, 25) and point[:1] == b"\x04":
            fields = (f"ecdsa-sha2-{curve}".encode(), curve.encode(), point)
            blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
            return f"ecdsa-sha2-{curve} {base64.b64encode(blob).decode()}"
    return None


def _key_problems(wanted: Wanted) -> list[str]:
    words = (wanted.public_key or "").split()
    make = "Make one with 'ssh-keygen -t ecdsa -b 384'."
    if len(words) < 2:
        return [f"public_key of {wanted.name} is missing or not an OpenSSH public key. {make}"]
    if words[0] not in CURVES:
        return [f"public_key of {wanted.name} is of type {words[0]} but Flower takes {', '.join(CURVES)}. {make}"]
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    if not blob.startswith(len(words[0]).to_bytes(4, "big") + words[0].encode()):
        return [
            f"public_key of {wanted.name} is damaged: it is not the base64 text of a key. Copy the .pub file again."
        ]
    return []


def _repeated(what: str, values: list[str], advice: str) -> list[str]:
    return [
        f"{what} {value} is given {values.count(value)} times. {advice}"
        for value in dict.fromkeys(values)
        if values.count(value) > 1
    ]


def _burnt(wanted: Wanted) -> SuperNodeError:
    return SuperNodeError(
        f"The key of {wanted.name} ({wanted.fingerprint}) was unregistered, which is final for a key in Flower."
        " Make a new key for this SuperNode."
    )


def _outcome(wanted: Wanted, member: Member, status: str, changed: bool) -> dict[str, t.Any]:
    return {
        "name": wanted.name,
        "fingerprint": member.fingerprint or None,
        "node_id": member.node_id or None,
        "status": status,
        "changed": changed,
    }
