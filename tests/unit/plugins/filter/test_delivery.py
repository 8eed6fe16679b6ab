# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry may be asked for."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.delivery import model_registry_problems
from ansible_collections.fedops.flower.plugins.module_utils._delivery.variables import registry_problems

GOOD = {"port": 9443, "readers": ["worker1", "w-2.example.org"], "tokens": {"edge": "a" * 32, "lab": "b-_." * 16}}


def test_what_is_right_has_no_problems() -> None:
    assert model_registry_problems(GOOD) == registry_problems(GOOD) == []
    assert model_registry_problems({"port": "443", "readers": [], "tokens": {}}) == []


def test_everything_that_is_wrong_is_said_at_once_and_no_token() -> None:
    wrong = {"port": 0, "readers": "worker1", "tokens": {"edge": "short-secret", "x y": "c" * 32, "z": "c" * 32}}
    said = model_registry_problems(wrong)
    assert [one.split(" ")[0] for one in said] == [
        "model_registry_port",
        "model_registry_readers",
        "'x",
        "model_registry_tokens['edge']",
        "model_registry_tokens",
    ]
    assert "short-secret" not in str(said)
    assert "c" * 32 not in str(said)


@pytest.mark.parametrize("port", [True, "x", 70000, -1, None])
def test_a_port_is_a_port(port: object) -> None:
    assert model_registry_problems({**GOOD, "port": port})


@pytest.mark.parametrize("token", ['"; }\n', "Bearer x" * 5, "a" * 31, "a" * 201, None])
def test_no_token_can_be_anything_else_to_nginx(token: object) -> None:
    assert "model_registry_tokens['edge']" in model_registry_problems({**GOOD, "tokens": {"edge": token}})[0]


def test_what_is_no_mapping_of_tokens_is_told() -> None:
    assert model_registry_problems({**GOOD, "tokens": ["a" * 32]}) == [
        "model_registry_tokens must map what each token is called to the token."
    ]
    with pytest.raises(AnsibleFilterError, match="not the variables of a registry"):
        model_registry_problems({})
