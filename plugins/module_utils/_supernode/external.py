# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SuperNodes that no host of the inventory carries: those that others run, and those whose hosts have left.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .._base.notation import show
from .place import NODE_NAME_RULE, is_node_name
from .registry import WantedSuperNode, check


def left_text(names: t.Sequence[str]) -> str:
    """Say what to do about SuperNodes that are registered and that the inventory does not have any more."""
    verb = "is" if len(names) == 1 else "are"
    return (
        f"{', '.join(names)} {verb} registered, but not in the inventory. Put the host back into it, name a SuperNode"
        " that others run in superlink_external_supernodes, or unregister what has left for good with the playbook"
        f" fedops.flower.admit: -e admit_unregister={','.join(names)}"
    )


def external_problems(given: t.Any, inventory: t.Collection[str] = (), leaving: t.Collection[str] = ()) -> list[str]:
    """Return what is wrong with the SuperNodes that others run, and with who is to leave.

    C(given) is C(superlink_external_supernodes), C(inventory) the names of the SuperNodes of its own hosts.
    """
    where = "superlink_external_supernodes"
    rows = list(given) if isinstance(given, t.Sequence) and not isinstance(given, str) else [given]
    if not all(isinstance(row, t.Mapping) and isinstance(row.get("name"), str) for row in rows):
        return [f"{where} must be a list of mappings, each with a name and a public_key. Correct it."]
    wanted = [WantedSuperNode(row["name"], str(row.get("public_key") or ""), "present") for row in rows]
    problems = [f"{where}: {problem}" for problem in check(wanted)]
    problems += [
        f"{where} has {one.name}, which a host of the group supernodes has as well. A name belongs to one SuperNode."
        for one in wanted
        if one.name in inventory
    ]
    problems += [
        f"{where} has the name {show(one.name)}, but it {NODE_NAME_RULE}. Correct it."
        for one in wanted
        if one.name.strip() and not is_node_name(one.name)
    ]
    problems += [
        f"{where}: the public_key of {show(one.name)} has more than one line. Give the one line of its .pub file."
        for one in wanted
        if len((one.public_key or "").strip().splitlines()) > 1
    ]
    keys = [one.fingerprint for one in wanted] if not problems else []
    problems += [
        f"{where} gives {', '.join(one.name for one in wanted if one.fingerprint == key)} the same public_key. A key"
        " is the identity of one SuperNode: ask each site for its own."
        for key in dict.fromkeys(keys)
        if keys.count(key) > 1
    ]
    return problems + [
        f"admit_unregister has {name}, which the inventory still has. Take it out there first: the next site would want"
        " it back, and its key is of no use then."
        for name in leaving
        if name in (*inventory, *(one.name for one in wanted))
    ]
