# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the gateway listens, on hosts with and without IPv6."""

from __future__ import annotations

import pytest

BOTH = ["0.0.0.0", "[::]"]


@pytest.mark.parametrize(
    ("files", "asked", "listens"),
    [
        (["/proc/net/if_inet6"], BOTH, BOTH),
        (["/usr/sbin/nginx"], BOTH, ["0.0.0.0"]),
        ([], ["192.0.2.7", "[2001:db8::1]"], ["192.0.2.7"]),
        (["/proc/net/if_inet6"], "0.0.0.0, [::]", BOTH),
        ([], "0.0.0.0, [::]", ["0.0.0.0"]),
    ],
)
def test_no_address_of_ipv6_is_listened_on_without_it(computed, files, asked, listens) -> None:
    found = {"files": [{"path": path} for path in files]}
    given = {"superlink_fleet_listen": asked, "__superlink_found": found}
    assert computed("superlink", "__superlink_listens", **given) == listens
