# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding things in OpenNebula."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._console.one_server import (
    OneServerError,
    connected,
    named,
    required,
)

POOL = [SimpleNamespace(ID=number, NAME=name) for number, name in ((1, "lan"), (2, "wan"), (3, "wan"), (4, "5"))]
PARAMS = {"api_username": "oneadmin", "api_password": "secret", "validate_certs": True}


@pytest.mark.parametrize(("name", "number"), [("lan", 1), ("3", 3), ("5", 4), ("none", None)])
def test_a_name_or_a_number_finds_one(name: str, number: int | None) -> None:
    assert getattr(named(POOL, name), "ID", None) == number


def test_a_name_of_several_is_refused() -> None:
    with pytest.raises(OneServerError, match="has several called wan: 2, 3. Give the number of one of them."):
        named(POOL, "wan")


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(
        OneServerError, match="no network called fed that this user may use. There are: 5, lan, wan, wan"
    ):
        required(iter(POOL), "fed", "network")
    with pytest.raises(OneServerError, match="There are: none."):
        required([], "fed", "network")


def test_an_endpoint_that_does_not_answer_is_named_and_the_password_is_not() -> None:
    with pytest.raises(OneServerError) as told, connected({**PARAMS, "api_url": "http://127.0.0.1:9/RPC2"}) as one:
        one.vmpool.info(-2, -1, -1, -1)
    assert str(told.value).startswith("OpenNebula at http://127.0.0.1:9/RPC2 does not answer (ConnectionError).")
    assert "secret" not in str(told.value)
