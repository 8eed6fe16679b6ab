# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which names and addresses a server is known, and how long its certificate lasts.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone

_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*")
_LINK_LOCAL = "fe80:"  # means nothing on another host
_EVERYWHERE = ("localhost", "127.0.0.1", "::1")


def subject_alt_names(names: t.Iterable[str], addresses: t.Iterable[str], extra: t.Iterable[str]) -> list[str]:
    """Return what a certificate lists, addresses first."""
    lasting = sorted(address for address in addresses if not address.lower().startswith(_LINK_LOCAL))
    known = list(dict.fromkeys(name.lower() for name in (*names, *_EVERYWHERE, *lasting, *extra)))
    return [f"IP:{name}" for name in known if _ADDRESS.fullmatch(name)] + [
        f"DNS:{name}" for name in known if not _ADDRESS.fullmatch(name)
    ]


def days_left(not_after: str, now: datetime | None = None) -> int:
    """Return the whole days until a moment in ASN.1's notation, such as C(20261231235959Z)."""
    end = datetime.strptime(not_after, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc)
    return (end - (now or datetime.now(timezone.utc))).days
