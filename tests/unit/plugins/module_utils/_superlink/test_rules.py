# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._superlink.rules import (
    NETWORK_FILE_SYSTEMS,
    connections,
    problems,
    state_problem,
)

GOOD = {
    "fleet_listen": ["0.0.0.0", "[::]", "[2001:db8::1]"],
    "fleet_port": "443",
    "port": 8000,
    "runtime_port": 8001,
    "app_networks": ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32"],
    "body_max": "32m",
    "memory_max": "4G",
    "executor_memory_max": "80%",
}
WRONG = {
    "superlink_fleet_listen has ": {
        "fleet_listen": ["::", "[192.0.2.1]", "300.1.1.1", "*", "[fe80::1%eth0]", "0.0.0.0; a"]
    },
}


def test_what_can_be_is_accepted() -> None:
    assert problems(GOOD) == []
    assert problems({**GOOD, "body_max": "1", "memory_max": "infinity", "executor_memory_max": 4096}) == []


def test_what_is_not_given_has_its_default_and_a_list_may_be_text() -> None:
    assert problems({}) == problems({"fleet_listen": "0.0.0.0, [::]", "app_networks": None}) == []
    assert problems({"fleet_port": 8000}) == [
        "superlink_port, superlink_runtime_port and superlink_fleet_port must be three different ports."
    ]


def test_what_apps_may_reach_is_told_as_on_supernodes() -> None:
    (problem,) = problems({**GOOD, "app_networks": ["192.0.2.0/24", "192.0.2.7/24"]})
    assert problem.startswith("superlink_app_networks has '192.0.2.7/24', which must be a network or an address, ")


@pytest.mark.parametrize(("told", "given"), WRONG.items())
def test_each_address_that_is_none_is_named(told, given) -> None:
    (values,) = given.values()
    assert [
        problem.startswith(f"{told}{value}, which must be ")
        for problem, value in zip(problems({**GOOD, **given}), values, strict=True)
    ] == [True] * len(values)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("body_max", "32 MB", "but must be a size as nginx takes it, such as 32m."),
        ("body_max", "32m\n", "but must be a size as nginx takes it, such as 32m."),
        ("memory_max", "4 GB", "but must be a number of bytes, "),
        ("executor_memory_max", "120%", "but must be a number of bytes, "),
        ("fleet_port", 0, "but must be a port, 1 to 65535."),
        ("port", "65536", "but must be a port, 1 to 65535."),
        ("runtime_port", "https", "but must be a port, 1 to 65535."),
        ("fleet_port", "", "but must be a port, 1 to 65535."),
        ("fleet_port", None, "but must be a port, 1 to 65535."),
        ("health_timeout", "soon", "but must be a whole number, at least 1."),
        ("requests_per_second", 0, "but must be a whole number, at least 1."),
    ],
)
def test_what_cannot_be_is_named_with_the_rule(name, value, rule) -> None:
    (problem,) = problems({**GOOD, name: value})
    said = "empty" if value in ("", None) else value
    assert problem.startswith(f"superlink_{name} is {said} {rule}")


def test_a_port_is_used_once() -> None:
    (problem,) = problems({**GOOD, "fleet_port": "8000"})
    assert problem == "superlink_port, superlink_runtime_port and superlink_fleet_port must be three different ports."


def test_all_problems_are_told_at_once() -> None:
    assert len(problems({**GOOD, "fleet_listen": ["*"], "body_max": "", "memory_max": "0", "port": 0})) == 4


def test_the_state_lies_on_a_disk() -> None:
    assert state_problem("/opt/flower", "ext4") is None
    for kind in NETWORK_FILE_SYSTEMS:
        assert state_problem("/opt/flower", kind).startswith(f"runtime_home is /opt/flower, which lies on {kind}, but ")


@pytest.mark.parametrize(
    ("supernodes", "told"), [(0, (256, 1024, 128)), (42, (256, 1024, 252)), (100, (600, 2400, 600))]
)
def test_the_gateway_takes_what_so_many_supernodes_need(supernodes, told) -> None:
    assert tuple(connections(supernodes).values()) == told
