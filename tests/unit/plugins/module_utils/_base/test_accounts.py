# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deciding whether an account has to be made."""

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.accounts import (
    AccountError,
    Found,
    is_missing,
    lacking,
)


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        (Found(number_of_name=None, name_of_number=None), True),
        (Found(number_of_name=49999, name_of_number="flower"), False),
        # A second name of the same number, as some directories have it, is no harm.
        (Found(number_of_name=49999, name_of_number="flwr"), False),
    ],
)
def test_an_account_is_missing_only_when_neither_name_nor_number_exists(found: Found, missing: bool) -> None:
    assert is_missing("uid", "flower", 49999, found) is missing


@pytest.mark.parametrize(
    ("kind", "found", "message"),
    [
        (
            "uid",
            Found(number_of_name=None, name_of_number="bob"),
            "uid is 49999 but that number belongs to 'bob' on this host. "
            "Set runtime_uid to a number that is free, or give 'bob' another one.",
        ),
        (
            "gid",
            Found(number_of_name=1001, name_of_number=None),
            "gid is 49999 but 'flower' already exists on this host with gid 1001. "
            "Set runtime_gid to 1001 for this host if that account is Flower's, or remove it. "
            "If it is somebody else's, call ours otherwise with runtime_user.",
        ),
        (
            "uid",
            Found(number_of_name=1001, name_of_number="bob"),
            "uid is 49999 but 'flower' already exists on this host with uid 1001. "
            "Set runtime_uid to 1001 for this host if that account is Flower's, or remove it. "
            "If it is somebody else's, call ours otherwise with runtime_user.",
        ),
    ],
)
def test_an_account_of_somebody_else_is_refused_with_what_to_do(kind: str, found: Found, message: str) -> None:
    with pytest.raises(AccountError) as refused:
        is_missing(kind, "flower", 49999, found)
    assert str(refused.value) == message


def test_all_that_a_host_lacks_is_made_by_one_command_that_reads_these_lines() -> None:
    accounts = [
        {"name": "fl-a", "uid": 62001, "gid": 62001, "home": "con%trol", "groups": ["fl-b"], "variable": ""},
        {"name": "fl-b", "uid": None, "gid": 62002, "home": "", "groups": [], "variable": ""},
        {"name": "root", "uid": 0, "gid": 0, "home": "", "groups": [], "variable": ""},
    ]
    assert lacking(accounts, "/srv/of ours") == (
        ["group fl-a", "user fl-a", "group fl-b", "member fl-a of fl-b"],
        [
            "g fl-a 62001",
            'u fl-a 62001:62001 Flower "/srv/of ours/con%%trol" /usr/sbin/nologin',
            "g fl-b 62002",
            "m fl-a fl-b",
        ],
    )
