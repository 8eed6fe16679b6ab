# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reaching the SuperNode on the loopback beside a proxy, whoever has set one."""

from __future__ import annotations

import re
from collections.abc import MutableMapping

# begin: loopback (tools/generate.py copies it from loopback.py)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PROXY = re.compile("(https?|all)_proxy", re.IGNORECASE)


def keep_loopback(environment: MutableMapping[str, str]) -> None:
    """Have the loopback reached without the proxy of an environment: no proxy would find that of this host."""
    if not any(value and PROXY.fullmatch(name) for name, value in environment.items()):
        return
    given = {name: environment.get(name) or environment.get(name.swapcase()) or "" for name in ("no_proxy", "NO_PROXY")}
    for name, text in given.items():
        kept = [entry.strip() for entry in str(text).split(",") if entry.strip()]
        environment[name] = ",".join([*kept, *(address for address in LOOPBACK if address not in kept)])


# end: loopback
