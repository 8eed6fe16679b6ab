# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks that apps may reach, as nftables takes them.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import ipaddress
import typing as t

from .errors import FedopsError
from .notation import as_list, show

_FAMILIES = {4: "ip", 6: "ip6"}  # as nftables names them


class FenceError(FedopsError):
    """A network is none."""


def network_problems(variable: str, given: object) -> list[str]:
    """Return what is wrong with a list of networks, a sentence each."""
    return [
        f"{variable} has {show(one)}, which must be a network or an address, such as 10.1.0.0/16 or 10.1.2.3."
        " The bits after a network's prefix length must be zero."
        for one in as_list(given)
        if not _is_network(one)
    ]


def networks(given: object, variable: str) -> dict[str, list[str]]:
    """Return networks by the family that they are of, C(ip) or C(ip6), without those that lie in another one.

    A family that has none is left out. FenceError for what is no network.
    """
    problems = network_problems(variable, given)
    if problems:
        raise FenceError("\n".join(problems))
    found: dict[int, list[t.Any]] = {}
    for one in as_list(given):
        network = ipaddress.ip_network(one)
        found.setdefault(network.version, []).append(network)
    return {
        _FAMILIES[version]: [str(network) for network in ipaddress.collapse_addresses(found[version])]
        for version in sorted(found)
    }


def _is_network(given: object) -> bool:
    try:
        return isinstance(given, str) and "%" not in given and ipaddress.ip_network(given) is not None
    except ValueError:
        return False
