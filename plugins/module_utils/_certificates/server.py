# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names and addresses a server is known, and how long its certificate lasts.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from datetime import datetime, timezone

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_LINK_LOCAL = "fe80:"  # means nothing on another host
_EVERYWHERE = ("localhost", "127.0.0.1", "::1")


def subject_alt_names(
    names: t.Iterable[str], addresses: t.Iterable[str], extra: t.Iterable[str], present: t.Iterable[str] = ()
) -> list[str]:
    """Return what a certificate lists, addresses first.

    C(present) is what the certificate of today lists. That stays where it has every name that others are told: the
    addresses that the host has found on itself come and go, and none of them is worth another certificate.
    """
    names, extra = list(names), list(extra)
    lasting = sorted(address for address in addresses if not address.lower().startswith(_LINK_LOCAL))
    has = {_entry(entry.partition(":")[2]) for entry in present}
    if has and {_entry(name) for name in (*names, *_EVERYWHERE, *extra)} <= has:
        return sorted(has, key=lambda entry: (entry.startswith("DNS:"), entry))
    known = list(dict.fromkeys(_entry(name) for name in (*names, *_EVERYWHERE, *lasting, *extra)))
    return [entry for kind in ("IP:", "DNS:") for entry in known if entry.startswith(kind)]


def _entry(name: str) -> str:
    """Return an entry in one spelling, of an address of IPv6 the shortest."""
    name = name.lower()
    if not _ADDRESS.fullmatch(name):
        return f"DNS:{name}"
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"IP:{name}"  # whoever makes the certificate says what is wrong with it


def days_left(not_after: str, now: datetime | None = None) -> int:
    """Return the whole days until a moment in ASN.1's notation, such as C(20261231235959Z)."""
    end = datetime.strptime(not_after, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
    return (end - (now or datetime.now(timezone.utc))).days
