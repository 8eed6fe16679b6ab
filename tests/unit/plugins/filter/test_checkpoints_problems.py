# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role of the checkpoints would refuse, told before a host is touched."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible_collections.fedops.flower.plugins.filter.checkpoints_problems import checkpoints_host_problems


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"checkpoints_backend": "disk"}, ["checkpoints_backend is disk, which needs checkpoints_disk_device: a disk"]),
        ({"checkpoints_backend": "nfs", "checkpoints_disk_device": "/dev/vdb"}, ["which needs checkpoints_nfs_export"]),
        (
            {"checkpoints_mirror": "yes", "checkpoints_mirror_access_key_id": "k"},
            ["checkpoints_mirror_bucket", "checkpoints_mirror_secret_access_key must be"],
        ),
        ({"checkpoints_directory": "/tmp/x"}, ["/tmp/x"]),
        ({"runtime_home": "/srv/flower", "checkpoints_directory": "/srv/flower/venv/x"}, ["/srv/flower/venv/x"]),
        ({"checkpoints_backend": "disk", "checkpoints_disk_device": "/dev/vdb"}, []),
        ({"checkpoints_backend": "nfs", "checkpoints_nfs_export": "nas:/flower"}, []),
        ({}, []),
    ],
)
def test_what_the_role_would_refuse_is_told(given: dict, told: list[str]) -> None:
    found = checkpoints_host_problems(given, True)
    assert (len(found), [each for each in told if each not in " ".join(found)]) == (len(told), [])


def test_a_directory_that_is_asked_for_counts_where_none_is_set() -> None:
    assert "/tmp/x" in checkpoints_host_problems({}, "YES", "/tmp/x")[0]
    assert checkpoints_host_problems({"checkpoints_directory": "/srv/x"}, True, "/tmp/x") == []


@pytest.mark.parametrize(("given", "asked"), [({}, False), ({}, ""), ({"checkpoints_enabled": "false"}, True)])
def test_nothing_is_said_where_checkpoints_are_off(given: dict, asked: object) -> None:
    assert checkpoints_host_problems({"checkpoints_backend": "disk", **given}, asked) == []


def test_what_only_a_host_knows_is_left_to_the_role() -> None:
    class Late(dict):
        def get(self, name: str, default: object = None) -> object:
            raise AnsibleError("ansible_facts is undefined")

    assert checkpoints_host_problems(Late(), True) == []
