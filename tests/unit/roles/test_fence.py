# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What user code may reach beside its own host: the same words of nftables on both kinds of hosts."""

from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from .conftest import ROLES

WHO = {"superlink": "meta skuid flower ", "supernode": "meta skgid 49997 "}
GIVEN = {
    "ansible_managed": "Managed",
    "runtime_user": "flower",
    "runtime_places": {"accounts": {"superlink": "a", "gateway": "b", "control": "c"}},
    "superlink_port": 1,
    "superlink_runtime_port": 2,
    "__supernode_apps_gid": 49997,
    "__supernode_uid": 49998,
    "__supernode_ports": [3],
}
RESOLVER = 'oifname "lo" meta l4proto { tcp, udp } th dport 53 accept'


@pytest.mark.parametrize("role", WHO)
@pytest.mark.parametrize(
    ("asked", "rules"),
    [
        (None, []),
        ([], []),
        (["10.1.0.0/16"], ["ip daddr { 10.1.0.0/16 } accept", RESOLVER]),
        (
            "fd00::/8, 10.1.0.0/16,10.2.0.0/16",
            ["ip daddr { 10.1.0.0/16, 10.2.0.0/16 } accept", "ip6 daddr { fd00::/8 } accept", RESOLVER],
        ),
    ],
)
def test_the_networks_that_are_asked_for_are_let_through(computed, role, asked, rules) -> None:
    networks = computed(role, f"__{role}_networks", **{f"{role}_app_networks": asked})
    template = (ROLES / role / "templates" / f"{role}.nft.j2").read_text("utf-8")
    variables = {**GIVEN, f"__{role}_networks": networks}
    lines = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(template)).splitlines()
    own = [line.strip().removeprefix(WHO[role]) for line in lines if line.strip().startswith(WHO[role])]
    assert [rule for rule in own if "127.0.0.1" not in rule] == [*rules, "reject"]
