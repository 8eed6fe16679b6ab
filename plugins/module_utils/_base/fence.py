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
from .notation import is_unset, show


class FenceError(FedopsError):
    """A network is none."""


def networks(given: object) -> dict[str, list[str]]:
    """Return networks by C(ip) and C(ip6), without those that lie in another; FenceError for what is none."""
    if is_unset(given):
        given = []
    if isinstance(given, (str, bytes)) or not isinstance(given, t.Sequence):
        raise FenceError(f"The networks are {show(given)} but must be a list, such as [10.1.0.0/16].")
    found: dict[int, list[t.Any]] = {4: [], 6: []}
    for one in given:
        try:
            if not isinstance(one, str):
                raise ValueError
            network = ipaddress.ip_network(str(one))
        except ValueError:
            rule = "must be a network or an address, such as 10.1.0.0/16, with no bits set behind its length"
            raise FenceError(f"A network is {show(one)} but {rule}.") from None
        found[network.version].append(network)
    return {
        name: [str(network) for network in ipaddress.collapse_addresses(found[version])]
        for name, version in (("ip", 4), ("ip6", 6))
    }
