# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.escape import EscapeError
from ansible_collections.fedops.flower.plugins.module_utils._base.hardening import (
    ALL,
    CLOSED_DOORS,
    SANDBOXES,
    directives,
)

USER_CODE = {"flower-alerts-delivery", "flower-superexec", "flower-clientapps", "flower-model", "flower-worker"}


def told(unit: str, **how) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in directives(unit, **how).splitlines():
        name, equals, value = line.partition("=")
        assert equals
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("unit", SANDBOXES)
def test_every_unit_gives_up_what_all_give_up(unit) -> None:
    found = told(unit)
    assert set(ALL) <= set(found)
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces", "RestrictSUIDSGID"):
        assert found[name] == ["yes"]
    assert found["SystemCallFilter"][0] == "@system-service"
    assert {"@debug", "@privileged", "process_vm_readv"} <= set(found["SystemCallFilter"][1].lstrip("~").split())
    assert list(found) == sorted(found, key=str.lower)


def test_what_runs_no_user_code_makes_no_executable_memory() -> None:
    assert {unit for unit in SANDBOXES if "MemoryDenyWriteExecute" not in told(unit)} == USER_CODE


def test_each_of_the_others_sees_no_account_but_its_own() -> None:
    assert {unit for unit in SANDBOXES if told(unit).get("PrivateUsers") != ["yes"]} == {
        "flower-alerts",
        "flower-alerts-delivery",
        "flower-fence",
        "flower-gpus",
        "flower-mirror",
        "flower-tracker",
        "flower-training",
    }


def test_no_unit_takes_a_level_from_what_is_written_but_the_one_whose_lines_are_its_own() -> None:
    assert {unit for unit in SANDBOXES if told(unit)["SyslogLevelPrefix"] == ["yes"]} == {"flower-training"}


def test_only_a_port_that_root_alone_may_open_takes_a_capability() -> None:
    high, low = told("flower-gateway", port=1024), told("flower-gateway", port=443)
    assert (high["CapabilityBoundingSet"], high["PrivateUsers"]) == ([""], ["yes"])
    assert high == told("flower-gateway")
    assert low["CapabilityBoundingSet"] == low["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert low["PrivateUsers"] == ["no"]


def test_networks_are_added_to_this_host_and_devices_have_a_line_each() -> None:
    found = told("flower-clientapps", networks=["10.0.0.0/8", "fd00::/8"], devices=["/dev/nvidia0 rw", "char-pts"])
    assert (found["IPAddressAllow"], found["IPAddressDeny"]) == (["localhost 10.0.0.0/8 fd00::/8"], ["any"])
    assert (found["DeviceAllow"], found["PrivateDevices"]) == (["/dev/nvidia0 rw", "char-pts"], ["no"])
    assert (found["DevicePolicy"], told("flower-clientapps")["PrivateDevices"]) == (["closed"], ["yes"])


def test_a_device_with_a_line_of_its_own_is_refused() -> None:
    with pytest.raises(EscapeError):
        directives("flower-clientapps", devices=["/dev/null rw\nUser=root"])


def test_the_doors_that_are_closed_are_sockets_of_which_none_has_to_be_there() -> None:
    services = ("dbus", "systemd/journal", "systemd/private", "systemd/resolve/io.systemd.Resolve", "nscd")
    assert {f"-/run/{service}" for service in services} <= {*CLOSED_DOORS}
    assert all(door.startswith("-/run/") for door in CLOSED_DOORS)
