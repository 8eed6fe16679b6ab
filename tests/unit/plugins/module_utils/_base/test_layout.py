# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of accounts and folders."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fedops.flower.plugins.filter.layout import host_layout, places
from ansible_collections.fedops.flower.plugins.module_utils._base.home import HOME, below
from ansible_collections.fedops.flower.plugins.module_utils._base.layout import (
    ACCOUNTS,
    FILES,
    FOLDERS,
    INVENTORY_GROUPS,
    ON,
    SECRETS,
    SUPERLINK_HOST,
    SUPERNODE_HOST,
    file,
    folder,
)


def users(layout: dict) -> dict[str, tuple]:
    return {account["name"]: (account["uid"], account["gid"]) for account in layout["accounts"]}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (
            [SUPERLINK_HOST],
            {
                "flower": (49999, 49999),
                "flower-superlink": (49998, 49998),
                "flower-control": (49997, 49997),
                "flower-gateway": (49996, 49996),
            },
        ),
        (
            [SUPERNODE_HOST],
            {"flower": (49999, 49999), "flower-supernode": (49995, 49995), "flower-clientapps": (None, 49994)},
        ),
        (
            [SUPERNODE_HOST, SUPERLINK_HOST],
            {
                "flower": (49999, 49999),
                "flower-superlink": (49998, 49998),
                "flower-control": (49997, 49997),
                "flower-gateway": (49996, 49996),
                "flower-supernode": (49995, 49995),
                "flower-clientapps": (None, 49994),
            },
        ),
    ],
)
def test_a_host_has_the_accounts_of_what_it_is(kinds: list[str], expected: dict) -> None:
    assert users(host_layout([INVENTORY_GROUPS[kind] for kind in kinds], "flower", 49999, 49999)) == expected


def test_names_and_numbers_of_a_host_go_everywhere() -> None:
    layout = host_layout([SUPERLINK_HOST], "fl", 1001, 1002, {"flower-control": "2001"})
    assert users(layout)["fl"] == (1001, 1002)
    control = next(account for account in layout["accounts"] if account["name"] == "flower-control")
    assert control == {
        "name": "flower-control",
        "uid": 2001,
        "gid": 2001,
        "home": "control",
        "groups": ["fl"],
        "variable": "runtime_accounts['flower-control']",
    }
    assert {"path": "trainings", "owner": 2001, "group": 1002, "mode": "0750"} in layout["directories"]
    assert {"path": "published", "owner": 1001, "group": 1002, "mode": "0750"} in layout["directories"]


@pytest.mark.parametrize("kind", ON)
def test_every_folder_lies_in_one_that_is_made_before_it_and_belongs_to_root(kind: str) -> None:
    made = {"": None}
    for entry in FOLDERS:
        if kind in entry.on and not entry.by:
            assert made[os.path.dirname(entry.path)] is None, entry.path
            made[entry.path] = entry.owner


@pytest.mark.parametrize("kind", ON)
def test_a_host_has_the_accounts_that_its_folders_name(kind: str) -> None:
    named = {account for entry in FOLDERS if kind in entry.on for account in (entry.owner, entry.group) if account}
    assert named <= set(ON[kind])


@pytest.mark.parametrize("kind", ON)
def test_a_secret_lies_where_root_alone_writes(kind: str) -> None:
    owners = {entry.path: (entry.owner, entry.mode & 0o022) for entry in FOLDERS if kind in entry.on}
    assert [owners[os.path.dirname(secret)] for secret in SECRETS[kind]] == [(None, 0)] * len(SECRETS[kind])


def test_no_two_accounts_share_a_number() -> None:
    assert len({account.number for account in ACCOUNTS}) == len(ACCOUNTS)


def test_a_folder_lies_below_the_home() -> None:
    assert folder("/srv/flower", "records/apps") == "/srv/flower/records/apps"


def test_a_file_lies_below_the_home_or_where_it_says() -> None:
    assert file("/srv/flower", "registry") == "/srv/flower/records/supernodes.json"
    assert file("/srv/flower", "gateway") == "/etc/flower/gateway.conf"
    assert below(HOME, "checkpoints") == folder(HOME, "checkpoints")


def test_a_file_lies_in_a_folder_of_the_table() -> None:
    known = {entry.path for entry in FOLDERS} | {"", "/etc", "/run"}
    assert {os.path.dirname(entry.path) for entry in FILES} <= known


@pytest.mark.parametrize("home", ["", "/srv/flower"])
def test_whoever_writes_in_jinja_finds_the_places_of_the_home(home: str) -> None:
    found = places(home)
    assert found["home"] == (home or HOME)
    assert found["folders"]["trainings"] == found["home"] + "/trainings"
    assert found["files"]["ca"] == found["home"] + "/certificates/ca.crt"
    assert found["units"]["flower-mirror.timer"] == found["systemd"] + "/flower-mirror.timer"
    assert found["ports"]["superlink_fleet_port"] == 9092
