# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who a SuperNode is: whom its registered key says, and not what its replies claim.

The SuperLink knows nodes by their keys and tells their numbers. Which site a number is stands in a record that root
writes (FEDOPS_REGISTRY), and where there is none, in the name that the node was registered under. Only where neither is
known, as in a simulation, does a node's own word count, and then for a name that nobody else claims.
"""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from .knowledge._base.jsonable import harmless
from .knowledge._base.pseudonyms import SiteNames
from .publish import logger

REGISTRY = "FEDOPS_REGISTRY"  # in the environment: the path of the record
_MOST_BYTES = 16 << 20  # of the record: some ten thousand SuperNodes
_LONGEST_NAME = 200  # characters; a host's name has 253 at most, and lines are to stay readable


@dataclass(frozen=True, order=True)
class Site:
    """A site in the order of sites. Replies are added up in it: a site must have no say in where it comes."""

    label: str  # what replies are ordered by; nothing where only the number is known
    name: str  # what it is called, in every text and record
    node: int


class Sites:
    """The sites of a federation. The record is read again when a number is unknown: nodes join during a training."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._recorded: dict[int, tuple[str, str]] = {}  # label and name, by node
        self._words = SiteNames([])
        self._has_record = False
        self._strangers: set[int] = set()  # that were told of
        self._registered: dict[int, str] = {}
        self._shared: set[str] = set()  # names that more than one of them has

    def see(self, names: Mapping[int, str]) -> None:
        """Remember the names that nodes were registered under, as the SuperLink tells them."""
        self._registered.update({node: _name(name) for node, name in names.items() if name.strip()})
        self._shared = {name for name, times in Counter(self._registered.values()).items() if times > 1}

    def members(self, nodes: Iterable[int]) -> set[int]:
        """Return those of these nodes that are in the record; all of them where there is none."""
        online = set(nodes)
        self._look_up(online)
        if not self._has_record:
            return online
        for node in sorted(online - self._recorded.keys() - self._strangers):
            logger.warning("Node %d is online but none of the SuperNodes in %s: it is asked nothing.", node, self._path)
            self._strangers.add(node)
        return online & self._recorded.keys()

    def identify(self, claims: Iterable[tuple[int, str]]) -> dict[int, Site]:
        """Return the site of each node, of which some claim a name."""
        claimed = dict(claims)
        self._look_up(claimed.keys())
        often = Counter(map(_name, claimed.values()))
        return {node: self._site(node, _name(claim), often) for node, claim in claimed.items()}

    def name(self, node: int) -> str:
        """Return what a node is called that has claimed nothing."""
        return self.identify([(node, "")])[node].name

    def pseudonym(self, name: str) -> str:
        """Return what a site is called where that may be passed on; its name, where no record has another word."""
        return self._words.pseudonym(name)

    def real(self, text: str) -> str:
        """Return a text with the names of sites in the place of what they are called."""
        return self._words.real(text)

    def hidden(self, text: str) -> str:
        """Return a text with what sites are called in the place of their names."""
        return self._words.hidden(text)

    def _look_up(self, nodes: Set[int]) -> None:
        if self._path and not nodes <= self._recorded.keys():
            found = _recorded(self._path)
            self._has_record = found is not None
            self._recorded, self._words = found or ({}, SiteNames([]))

    def _site(self, node: int, claim: str, often: Mapping[str, int]) -> Site:
        if node in self._recorded:
            return Site(*self._recorded[node], node)
        if name := self._registered.get(node):
            return Site(name, f"{name} (node {node})" if name in self._shared else name, node)
        if self._path or self._registered or not claim or often[claim] > 1:
            return Site("", f"node {node}", node)
        return Site(claim, claim, node)


def _name(text: str) -> str:
    return harmless(text, _LONGEST_NAME)


def _recorded(path: str) -> tuple[dict[int, tuple[str, str]], SiteNames] | None:
    """Return label and name by node, and what the sites are called where that is passed on.

    None without a record, and, with a warning, where it is not what it should be.
    """
    try:
        entries = json.loads(_content(path))["supernodes"]
        named = {int(entry["node_id"]): (entry.get("site") or entry["name"], entry["name"]) for entry in entries}
        if not all(isinstance(text, str) for pair in named.values() for text in pair):
            raise ValueError("a name in it is no text")
        called = SiteNames({**entry, "name": _name(entry["name"])} for entry in entries)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        logger.warning("%s cannot be read, and names no SuperNode: %s", path, error)
        return None
    return {node: (_name(label), _name(name)) for node, (label, name) in named.items()}, called


def _content(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            raise ValueError(f"it is no regular file, or has more than {_MOST_BYTES} bytes")
        return stream.read(_MOST_BYTES)
