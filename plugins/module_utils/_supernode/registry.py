# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is a SuperNode of this federation: keys and names on our side, node ids on Flower's.

Flower lists node ids without keys or names, so what belongs together is kept in a registry that only root writes.
Names, sites and hosts come from the inventory. A host answers with public keys, and with nothing else that counts.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from .._base.notation import show
from .._flower.answers import FlwrError, Node
from .._flower.assumptions import KEY_ALREADY_IN_USE, ONLINE, REGISTERED, UNREGISTERED
from .._flower.cli import Flwr
from .known_keys import admit
from .ledger import Ledger, Member, SuperNodeError
from .public_keys import fingerprint, key_problems, stored_keys

_TOLD = ("name", "fingerprint", "site", "host", "pseudonym")  # of a member; nothing of who is none
_LONGEST_KEY = 2000  # characters of a public key


@dataclass(frozen=True)
class WantedSuperNode:
    """A SuperNode as asked for. A key is not needed to have one absent."""

    name: str
    public_key: str | None
    state: str
    site: str = ""
    host: str = ""

    @property
    def fingerprint(self) -> str | None:
        return fingerprint(self.public_key) if self.public_key else None

    @property
    def plain_key(self) -> str:
        """The public key without its comment."""
        return " ".join((self.public_key or "").split()[:2])


class Registrar:
    """Brings the SuperNodes that Flower knows to what is asked for, with one listing for all of them."""

    def __init__(
        self, flwr: Flwr, nodes: t.Iterable[Node], check_mode: bool = False, inventory: t.Collection[str] = ()
    ) -> None:
        self.flwr = flwr
        self.ledger = Ledger(flwr.home)
        self.nodes = {node.node_id: node for node in nodes}
        self.check_mode = check_mode
        self.inventory = inventory  # every name that the inventory has
        self.kept: set[str | None] = set()
        self.dropped: set[str] = set()  # node ids

    def refusals(self, wanted: t.Sequence[WantedSuperNode]) -> dict[str, str]:
        """Return the names that are asked for with a key that is another's, and why they get nothing."""
        present = [one for one in wanted if one.state == "present"]
        given: dict[str | None, list[str]] = {}
        for one in present:
            given.setdefault(one.fingerprint, []).append(one.name)
        refused = {}
        for one in present:
            own, names = self.ledger.by_fingerprint(one.fingerprint), given[one.fingerprint]
            owner = own.name if own else ""
            if own and owner != one.name and (owner in self.inventory or self.ledger.by_name(one.name)):
                refused[one.name] = f"its key ({one.fingerprint}) is that of {owner}"
            elif len(names) > 1 and owner != one.name:
                others = [name for name in names if name != one.name]
                refused[one.name] = f"its key ({one.fingerprint}) is given for {', '.join(others)} as well"
        return refused

    def ensure(self, wanted: t.Sequence[WantedSuperNode]) -> t.Iterator[dict[str, t.Any]]:
        """Have SuperNodes as asked for, one after the other; tell what became of each."""
        # A key may move from one name to another, and must not be unregistered on the way: that is final.
        self.kept = {one.fingerprint for one in wanted if one.state == "present"}
        if not self.check_mode:
            self.ledger.move()
        for one in wanted:
            yield self._present(one) if one.state == "present" else self._absent(one)

    def gone(self, hosts: t.Collection[str]) -> list[WantedSuperNode]:
        """Return the SuperNodes that these hosts carried, by the registry, and that the inventory has no more."""
        return [
            WantedSuperNode(member.name, None, "absent")
            for member in self.ledger.members
            if member.host in hosts and member.name not in self.inventory
        ]

    def admit(self) -> bool:
        """Have the gateway know the keys of all that are registered, by whomever; tell whether that changes anything.

        The database is read only for a key that the registry does not have.
        """
        keys = {member.node_id: member.public_key for member in self.ledger.members if member.public_key}
        listed = {node.node_id for node in self.nodes.values() if node.status != UNREGISTERED} - self.dropped
        if listed - set(keys):
            keys = {**stored_keys(self.flwr.home), **keys}
        unlisted = [key for node_id, key in keys.items() if node_id not in self.nodes]  # they have just been registered
        return admit(self.flwr.home, [*(keys.get(node_id, "") for node_id in listed), *unlisted], self.check_mode)

    def _present(self, wanted: WantedSuperNode) -> dict[str, t.Any]:
        own = self.ledger.by_fingerprint(wanted.fingerprint)
        namesakes = self.ledger.by_name(wanted.name)
        replaced = [member for member in namesakes if member.fingerprint not in self.kept]
        if own and own.node_id in self.nodes:
            if self._status(own) == UNREGISTERED:
                raise _burnt(wanted)
            # What is not said stays as it was.
            site, host = wanted.site or own.site, wanted.host or own.host
            member = replace(own, name=wanted.name, site=site, host=host)
            changed = own != member or bool(replaced)
            member = replace(member, public_key=wanted.plain_key)
            if own != member and not self.check_mode:
                self.ledger.put(member)
        else:
            # A member that the SuperLink does not list is from a database that is gone.
            changed = True
            member = self._register(wanted)
        for old in replaced:
            self._drop(old)
        return _outcome(wanted, member, self._status(member), changed)

    def _register(self, wanted: WantedSuperNode) -> Member:
        fingerprint_ = wanted.fingerprint or ""
        if self.check_mode:
            return Member(wanted.name, fingerprint_, "", wanted.site, wanted.host)
        try:
            node_id = self.flwr.register(wanted.name, wanted.public_key or "")
        except FlwrError as error:
            if error.code != KEY_ALREADY_IN_USE:
                raise
            node_id = self._recover(wanted)
        member = Member(wanted.name, fingerprint_, node_id, wanted.site, wanted.host, wanted.plain_key)
        # At once: a key whose node id is forgotten can neither be used again nor be unregistered.
        self.ledger.put(member)
        return member

    def _recover(self, wanted: WantedSuperNode) -> str:
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

    def _absent(self, wanted: WantedSuperNode) -> dict[str, t.Any]:
        own = self.ledger.by_fingerprint(wanted.fingerprint)
        found = dict.fromkeys([*self.ledger.by_name(wanted.name), *([own] if own else [])])
        members = [member for member in found if member.fingerprint not in self.kept]
        for member in members:
            self._drop(member)
        last = members[-1] if members else Member(wanted.name, wanted.fingerprint or "", "")
        return _outcome(wanted, last, "absent", bool(members))

    def _drop(self, member: Member) -> None:
        self.dropped.add(member.node_id)
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
        about = {name: getattr(member, name) if member else None for name in _TOLD}
        rows.append({**about, "registered": member is not None, **asdict(node)})
    return sorted(rows, key=lambda row: (row["name"] is None, row["name"] or "", row["node_id"]))


def named(nodes: t.Iterable[t.Mapping[str, t.Any]], online: bool) -> tuple[str, ...]:
    """Return the names of the registered SuperNodes that are online, or of those that are not.

    One that nobody of the inventory has registered has no name, and does not count.
    """
    return tuple(
        str(node["name"] or node["node_id"])
        for node in nodes
        if node["name"] is not None and (node["status"] == ONLINE) == online
    )


def judge(answer: object, members: t.Sequence[t.Mapping[str, str]]) -> tuple[list[dict[str, str]], list[str]]:
    """Return what a host's answer about its keys is worth, and what is wrong with it.

    The members are those that the inventory has for the host, with name, site and host. For each the answer gives a
    public key, and nothing else that counts.
    """
    rows = answer.get("supernodes") if isinstance(answer, t.Mapping) else None
    if not isinstance(rows, (list, tuple)):
        return [], ["it gave no list of keys"]
    keys: dict[str, str] = {}
    problems = []
    names = [member["name"] for member in members]
    for row in rows[: len(names) + 1]:
        name = row.get("name") if isinstance(row, t.Mapping) else None
        key = row.get("public_key") if isinstance(row, t.Mapping) else None
        if not isinstance(name, str) or name not in names:
            told = show(name) if isinstance(name, str) else "no name"
            problems.append(f"it gave a key for {told}, which the inventory does not have there")
        elif name in keys:
            problems.append(f"it gave two keys for {name}")
        elif not isinstance(key, str) or len(key) > _LONGEST_KEY:
            problems.append(f"what it gave for {name} is no key")
        else:
            keys[str(name)] = " ".join(key.split()[:2])
            problems += key_problems(name, key) if key else []
    problems += [f"it gave no key for {name}" for name in names if name not in keys and not problems]
    if problems:
        return [], problems
    return [{**member, "public_key": keys[member["name"]]} for member in members], []


def check(wanted: t.Sequence[WantedSuperNode]) -> list[str]:
    """Return every problem of what is asked for, before anything is done."""
    problems = []
    for index, one in enumerate(wanted):
        if not one.name.strip():
            problems.append(f"name of SuperNode {index + 1} is empty. Give each SuperNode a name, such as its host's.")
        if one.state == "present":
            problems.extend(key_problems(one.name, one.public_key))
    problems.extend(_repeated("name", [one.name for one in wanted], "Name each SuperNode once."))
    return problems


def _repeated(what: str, values: list[str], advice: str) -> list[str]:
    return [
        f"{what} {value} is given {values.count(value)} times. {advice}"
        for value in dict.fromkeys(values)
        if values.count(value) > 1
    ]


def _burnt(wanted: WantedSuperNode) -> SuperNodeError:
    return SuperNodeError(
        f"The key of {wanted.name} ({wanted.fingerprint}) was unregistered, which is final for a key in Flower."
        " Make a new key for this SuperNode."
    )


def _outcome(wanted: WantedSuperNode, member: Member, status: str, changed: bool) -> dict[str, t.Any]:
    return {
        "name": wanted.name,
        "fingerprint": member.fingerprint or None,
        "node_id": member.node_id or None,
        "status": status,
        "changed": changed,
    }
