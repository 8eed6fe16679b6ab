# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only networks get into the rules of the fence."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.fence import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._base.fence import network_problems, networks

FILTER = FilterModule().filters()["fence_networks"]


@pytest.mark.parametrize(
    ("given", "sorted_"),
    [
        (None, {}),
        ("", {}),
        ([], {}),
        (["fd00::/8", "10.1.0.0/16", "10.1.2.3"], {"ip": ["10.1.0.0/16"], "ip6": ["fd00::/8"]}),
        (["10.0.0.0/9", "10.128.0.0/9"], {"ip": ["10.0.0.0/8"]}),
        ("2001:db8::1, fd00::/8", {"ip6": ["2001:db8::1/128", "fd00::/8"]}),
    ],
)
def test_networks_are_sorted(given: object, sorted_: dict) -> None:
    assert networks(given, "app_networks") == FILTER(given) == sorted_
    assert list(FILTER(given)) == list(sorted_)
    assert network_problems("app_networks", given) == []


@pytest.mark.parametrize(
    "one", ["10.1.2.3/8", "accept", "10.0.0.0/8 } accept\n", "", None, 7, "0.0.0.0/0.0.0.0 ", "fe80::1%eth0", {"a": 1}]
)
def test_what_is_no_network_is_refused(one: object) -> None:
    with pytest.raises(AnsibleFilterError, match="^app_networks has .*, which must be a network or an address, "):
        FILTER(["10.0.0.0/8", one], "app_networks")


def test_all_that_are_none_are_told_at_once() -> None:
    assert [problem.split(",")[0] for problem in network_problems("app_networks", "a,10.0.0.0/8,b")] == [
        "app_networks has 'a'",
        "app_networks has 'b'",
    ]
    assert network_problems("app_networks", 7)[0].startswith("app_networks has 7, which must be ")
