# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of machines of OpenNebula."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._console.machine_template import derived, plain

CONTEXT = {"NETWORK": "YES", "TOKEN": "YES", "REPORT_READY": "NO", "SET_HOSTNAME": "$NAME"}


@pytest.mark.parametrize(
    ("base", "how", "wanted"),
    [
        ({"CPU": "1"}, {}, {"CPU": "1", "VCPU": "1", "CONTEXT": CONTEXT}),
        ({"CPU": "2.5"}, {}, {"CPU": "2.5", "VCPU": "3", "CONTEXT": CONTEXT}),
        ({"VCPU": "4"}, {}, {"VCPU": "4", "CONTEXT": CONTEXT}),
        (
            {"VCPU": "1", "DISK": {"IMAGE": "a"}, "NIC": {"NETWORK": "lan"}},
            {"disks": [{"IMAGE_ID": 7}], "group": {"VMGROUP_ID": 2, "ROLE": "superlink"}},
            {
                "VCPU": "1", "DISK": [{"IMAGE": "a"}, {"IMAGE_ID": "7"}], "NIC": {"NETWORK": "lan"},
                "CONTEXT": CONTEXT, "VMGROUP": {"VMGROUP_ID": "2", "ROLE": "superlink"},
            },
        ),
        (
            {"VCPU": "1", "NIC": [{"NETWORK": "a"}, {"NETWORK": "b"}]},
            {"networks": [{"NETWORK_ID": 3}], "attributes": {"vcpu": 8}},
            {"VCPU": "8", "NIC": {"NETWORK_ID": "3"}, "CONTEXT": CONTEXT},
        ),
        (
            {"VCPU": "1", "CONTEXT": {"REPORT_READY": "YES", "NETWORK": "NO", "SSH_PUBLIC_KEY": "k"}},
            {"context": {"FL_NUM_ROUNDS": 10, "FL_CHECKPOINT_ENABLED": True, "FL_TRAINING_NAME": None}},
            {
                "VCPU": "1",
                "CONTEXT": {
                    **CONTEXT, "NETWORK": "NO", "SSH_PUBLIC_KEY": "k", "FL_NUM_ROUNDS": "10",
                    "FL_CHECKPOINT_ENABLED": "YES", "FL_TRAINING_NAME": "",
                },
            },
        ),
    ],
)  # fmt: skip
def test_a_template_is_made_from_another(base: dict, how: dict, wanted: dict) -> None:
    assert derived(base, **how) == wanted
    assert derived(derived(base, **how)) == wanted


def test_a_template_is_compared_as_it_comes_back() -> None:
    assert plain({"A": [{"B": 1}], "C": [], "D": None, "E": ["x", 2]}) == {"A": {"B": "1"}, "E": ["x", "2"]}
