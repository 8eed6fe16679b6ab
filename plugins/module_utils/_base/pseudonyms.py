# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sites are called where it may be passed on: one word for each, the same in all trainings of a federation.

It is made of the name and a secret of the federation, which root alone reads, when root writes the registry. Who has
the registry can tell whose a word is. Who has only what a training leaves cannot, not even by guessing names.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import typing as t

PSEUDONYM = re.compile(r"\bsite-[a-z2-7]{12}\b")
_NUMBERED = re.compile(r"\bnode (\d{1,20})\b")  # what a site is called whose registry is from before
_PURPOSE = b"fedops.flower pseudonym 1\0"
_SHARED = "(a host)"  # in the place of a name that several sites have
_SHORT = 3  # characters; a shorter name is a word of its own in too many texts


def pseudonym_of(name: str, secret: bytes) -> str:
    """Return what a site is called: 60 bits that nobody can compute without the secret."""
    digest = hmac.new(secret, _PURPOSE + name.encode("utf-8", "replace"), hashlib.sha256).digest()
    return "site-" + base64.b32encode(digest)[:12].decode("ascii").lower()


class SiteNames:
    """The names and pseudonyms of sites, for texts that have the one and are to have the other."""

    def __init__(self, rows: t.Iterable[t.Mapping[str, t.Any]]) -> None:
        """Take rows with C(name), C(pseudonym), C(node_id), C(site) and C(host), as far as they are known.

        The registry and C(supernode_info) have them so.
        """
        known = [row for row in rows if row.get("name")]
        self._by_node = {str(row.get("node_id")): str(row["name"]) for row in known}
        self._by_pseudonym = {str(row["pseudonym"]): str(row["name"]) for row in known if row.get("pseudonym")}
        self._hidden: dict[str, str] = {}
        for key in ("host", "site", "name"):  # the name last: it wins
            for row in (row for row in known if row.get(key)):
                word = str(row.get("pseudonym") or f"node {row.get('node_id')}")
                taken = self._hidden.get(str(row[key]), word)
                self._hidden[str(row[key])] = word if taken == word or key == "name" else _SHARED
        # The longest first: a name may be a part of another one.
        words = sorted(self._hidden, key=len, reverse=True)
        long, short = (
            [re.escape(word) for word in words if (len(word) >= _SHORT) == is_long] for is_long in (True, False)
        )
        some = [f"(?:{'|'.join(long)})"] * bool(long) + [f"(?:{'|'.join(short)})(?=: )"] * bool(short)
        self._names = re.compile(rf"(?<![\w-])(?:{'|'.join(some)})(?![\w-])") if some else None

    def real(self, text: str) -> str:
        """Return a text with the names of sites in the place of what they are called; what is not known stays."""
        text = PSEUDONYM.sub(lambda found: self._by_pseudonym.get(found.group(), found.group()), text)
        return _NUMBERED.sub(lambda found: self._by_node.get(found.group(1), found.group()), text)

    def hidden(self, text: str) -> str:
        """Return a text with what sites are called in the place of their names, where these stand alone in it."""
        if self._names is None:
            return text
        return self._names.sub(lambda found: self._hidden[found.group()], text)

    def pseudonym(self, name: str) -> str:
        """Return what a site is called; the name itself where nobody has given it a word."""
        return self._hidden.get(name, name)
