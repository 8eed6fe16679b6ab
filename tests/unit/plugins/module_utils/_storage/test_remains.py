# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.filter.layout import remains as as_filter
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import ACCOUNTS, FOLDERS, folder
from ansible_collections.fedops.flower.plugins.module_utils._storage.remains import remains


def test_a_teardown_finds_all_that_is_in_the_tables() -> None:
    found = remains("/srv/flower", "fl")
    gone = [*found["software"], *found["kept"]]
    left = [path for path in (folder("/srv/flower", entry.path) for entry in FOLDERS)
            if not any(path == other or path.startswith(f"{other}/") for other in gone)]  # fmt: skip
    assert left == ["/var/backups/flower"]
    assert found["services"][-3:] == ["flower-superexec.service", "flower-gateway.service", "flower-superlink.service"]
    assert not [name for name in found["services"] if "@" in name]
    assert found["users"][-1] == "fl"
    assert {*found["users"][:-1], "flower", *found["groups"]} == {account.name for account in ACCOUNTS}


def test_a_teardown_keeps_what_no_variable_gives_up() -> None:
    found = remains()
    assert {os.path.basename(path) for path in found["kept"]} == {
        "certificates", "checkpoints", "data", "delivery", "flower-registry", "flower-trackers", "output", "published",
        "trainings",
    }  # fmt: skip
    assert found["given_up"] == []
    assert not [path for path in found["software"] if path.startswith(tuple(found["kept"]))]


@pytest.mark.parametrize(
    ("given", "given_up"),
    [
        ({}, []),
        ({"teardown_data": "no", "teardown_checkpoints": None, "teardown_certificates": ""}, []),
        ({"teardown_data": "yes"}, ["/opt/flower/data"]),
        ({"teardown_certificates": True}, ["/opt/flower/certificates", "/etc/flower/delivery"]),
        (
            {"teardown_checkpoints": True},
            [
                "/srv/models",
                "/opt/flower/output",
                "/opt/flower/published",
                "/opt/flower/trainings",
                "/var/lib/private/flower-trackers",
                "/var/lib/flower-registry",
            ],
        ),
    ],
)
def test_what_a_variable_gives_up_goes_and_the_rest_stays(given: dict, given_up: list) -> None:
    found, nothing = as_filter("", "", "/srv/models", "local", given), as_filter("", "", "/srv/models")
    assert found["given_up"] == given_up
    assert sorted([*found["given_up"], *found["kept"]]) == sorted(nothing["kept"])


@pytest.mark.parametrize("backend", ["disk", "nfs"])
def test_what_is_mounted_is_no_hosts_to_remove(backend: str) -> None:
    found = as_filter("", "", "/opt/flower/checkpoints", backend, {"teardown_checkpoints": True})
    assert found["mounted"] is True
    assert found["source"] == {"disk": "checkpoints_disk_device", "nfs": "checkpoints_nfs_export"}[backend]
    assert "/opt/flower/checkpoints" not in [*found["given_up"], *found["kept"]]
