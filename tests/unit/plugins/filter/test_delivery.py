# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry may be asked for."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.filter.delivery import (
    model_registry_address,
    model_registry_problems,
    model_worker_problems,
    served,
)
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


WORKER = {
    "registry": "https://192.0.2.1:9443/models", "model": "digits", "channel": "stable", "interval": "30", "token": "",
    "base_sha256": "", "mode": "reload", "server": "http://127.0.0.1:8080", "unit": "flower-model.service", "check": "",
    "port": 8080,
}  # fmt: skip


def test_a_worker_has_no_problems_with_what_is_right() -> None:
    assert model_worker_problems(WORKER) == []
    other = {
        "base_sha256": "a" * 64,
        "check": "/usr/local/bin/check",
        "mode": "signal",
        "server": "",
        "token": "t" * 32,
    }
    assert model_worker_problems({**WORKER, **other}) == []


def test_everything_that_is_wrong_with_a_worker_is_said_at_once() -> None:
    wrong = {
        "registry": "http://x", "model": "A b", "channel": "", "interval": 0, "token": "short", "base_sha256": "x",
        "mode": "hook", "server": "ftp://x", "unit": "x; reboot", "check": "check", "port": None,
    }  # fmt: skip
    said = model_worker_problems(wrong)
    assert {one.split(" ")[0].removeprefix("model_worker_") for one in said} == wrong.keys()
    assert "model_worker_token is" not in str(said)
    assert "no host in the group model_registry" in model_worker_problems({**WORKER, "registry": ""})[0]
    assert "in the mode reload" in model_worker_problems({**WORKER, "server": ""})[0]
    with pytest.raises(AnsibleFilterError, match="not the variables of a worker"):
        model_worker_problems({})


def test_workers_find_the_registry_of_the_inventory() -> None:
    hostvars = {"a": {"ansible_host": "2001:db8::1", "model_registry_port": 443}, "b": {}}
    assert model_registry_address(["a", "b"], hostvars) == "https://[2001:db8::1]:443/models"
    assert model_registry_address(["b"], hostvars) == "https://b:9443/models"
    assert model_registry_address([], hostvars) == ""


STATE = {"serving": "tiny-1-01234567", "channel": {"package": "tiny-1-01234567"}, "serial": 7, "asked": "now"}


@pytest.mark.parametrize(
    ("change", "text", "is_served", "is_settled"),
    [
        ({}, "tiny-1-01234567 is served.", True, True),
        ({"unproven": "tiny-1-01234567"}, "tiny-1-01234567 is served.", False, False),
        ({"serving": None}, "nothing is served; its channel names tiny-1-01234567.", False, False),
        (
            {"serving": None, "refused": [{"package": "tiny-1-01234567", "serial": 7, "reason": "it is ill."}]},
            "nothing is served; its channel names tiny-1-01234567; tiny-1-01234567 was refused: it is ill.",
            False,
            True,
        ),
        ({"problem": "x is away."}, "tiny-1-01234567 is served; x is away.", True, True),
    ],
)
def test_what_is_served_is_said_in_a_line(change, text, is_served, is_settled) -> None:
    told = served(json.dumps({**STATE, **change}))
    assert (told["text"], told["is_served"], told["is_settled"]) == (text, is_served, is_settled)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"serving": 4, "channel": 5, "refused": 3}', '{"refused": [1]}'])
def test_what_a_host_says_of_itself_is_not_trusted(content: str) -> None:
    told = served(content)
    assert (told["package"], told["is_served"], told["is_settled"]) == (None, False, False)
