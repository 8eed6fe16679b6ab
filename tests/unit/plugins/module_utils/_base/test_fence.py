# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Only networks get into the rules of the fence."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.fence import FilterModule
from ansible_collections.fedops.flower.plugins.module_utils._base.fence import FenceError, networks

FILTER = FilterModule().filters()["fence_networks"]


@pytest.mark.parametrize(
    ("given", "sorted_"),
    [
        (None, {"ip": [], "ip6": []}),
        ("", {"ip": [], "ip6": []}),
        ([], {"ip": [], "ip6": []}),
        (["10.1.0.0/16", "10.1.2.3", "fd00::/8"], {"ip": ["10.1.0.0/16"], "ip6": ["fd00::/8"]}),
        (["10.0.0.0/9", "10.128.0.0/9"], {"ip": ["10.0.0.0/8"], "ip6": []}),
    ],
)
def test_networks_are_sorted(given: object, sorted_: dict) -> None:
    assert networks(given) == FILTER(given) == sorted_


@pytest.mark.parametrize("given", ["10.0.0.0/8", 7, {"a": 1}])
def test_networks_are_a_list(given: object) -> None:
    with pytest.raises(FenceError, match="but must be a list"):
        networks(given)


@pytest.mark.parametrize("one", ["10.1.2.3/8", "accept", "10.0.0.0/8 } accept\n", "", None, 7, "0.0.0.0/0.0.0.0 "])
def test_what_is_no_network_is_refused(one: object) -> None:
    with pytest.raises(AnsibleFilterError, match="^supernode_app_networks: A network is .* but must be a network"):
        FILTER(["10.0.0.0/8", one], "supernode_app_networks")
