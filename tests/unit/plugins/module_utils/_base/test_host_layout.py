# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the accounts of a host may have."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.layout import host_layout as as_filter
from ansible_collections.fedops.flower.plugins.module_utils._base.host_layout import LayoutError, host_layout, kinds_of
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import (
    REGISTRY_HOST,
    SUPERLINK_HOST,
    SUPERNODE_HOST,
    WORKER_HOST,
)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"flower": 1}, "runtime_accounts['flower'] is none of flower-clientapps, flower-control, flower-gateway, "
                        "flower-registry, flower-superlink, flower-supernode, flower-worker."),
        ({"flower-control": 0}, "runtime_accounts['flower-control'] is 0 but must be a number above 0."),
        ({"flower-control": True}, "runtime_accounts['flower-control'] is True but must be a number above 0."),
        ({"flower-control": "a"}, "runtime_accounts['flower-control'] is 'a' but must be a number above 0."),
        ({"flower-control": 49999}, "runtime_accounts['flower-control'] is 49999, which is runtime_gid as well."),
        ({"flower-control": 49996}, "runtime_accounts['flower-gateway'] is 49996, which is "
                                    "runtime_accounts['flower-control'] as well."),
    ],
)  # fmt: skip
def test_numbers_that_two_would_share_are_refused(numbers: dict, message: str) -> None:
    with pytest.raises(LayoutError) as refused:
        host_layout([SUPERLINK_HOST], numbers=numbers)
    assert str(refused.value) == message
    with pytest.raises(AnsibleFilterError, match=re.escape(message)):
        as_filter([SUPERLINK_HOST], "flower", 49999, 49999, numbers)


def test_what_ran_as_one_account_stops_before_its_folders_change_hands() -> None:
    assert host_layout([SUPERNODE_HOST])["former_units"] == ["flower-supernode@*.service", "flower-supernode.service"]
    assert host_layout([SUPERLINK_HOST])["former_units"] == [
        "flower-mirror.timer",
        "flower-mirror.path",
        "flower-mirror.service",
        "flower-training@*.service",
        "flower-superexec.service",
        "flower-superlink.service",
    ]


@pytest.mark.parametrize(
    ("groups", "kinds"),
    [
        (["all", "superlink"], [SUPERLINK_HOST]),
        (["supernodes", "wards"], [SUPERNODE_HOST]),
        (["supernodes", "superlink"], [SUPERLINK_HOST, SUPERNODE_HOST]),
        (["model_registry"], [REGISTRY_HOST]),
        (["superlink", "model_registry", "model_workers"], [SUPERLINK_HOST, REGISTRY_HOST, WORKER_HOST]),
        (["all", "ungrouped"], [SUPERLINK_HOST, SUPERNODE_HOST]),
    ],
)
def test_a_host_is_what_its_groups_say_and_without_them_it_may_be_either(groups: list, kinds: list) -> None:
    assert kinds_of(groups) == kinds
