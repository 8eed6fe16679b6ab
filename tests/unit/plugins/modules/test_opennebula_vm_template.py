# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a template of OpenNebula from another; the playbook's test has the rest."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.modules import opennebula_vm_template as module

from ...playbooks.opennebula_double import OpenNebula, serving


@pytest.fixture
def cloud():
    cloud = OpenNebula()
    cloud.add("template", "Debian", {"CPU": "1", "CONTEXT": {"START_SCRIPT": 'echo "a]b" \\ <&>'}})
    cloud.add("vn", "lan")
    with serving(cloud) as cloud.address:
        yield cloud


def ran(capsys, cloud, *, password: str = "secret", check: bool = False, **arguments: object) -> dict:
    where = {"api_url": cloud.address, "api_username": "oneadmin", "api_password": password}
    given = {**where, "name": "ours", "_ansible_check_mode": check, **arguments}
    with patch_module_args(given), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def test_a_template_is_made_once_and_renewed_when_it_differs(capsys, cloud) -> None:
    asked = {"base": "Debian", "virtual_networks": ["lan"]}
    assert ran(capsys, cloud, check=True, **asked)["id"] is None
    first = ran(capsys, cloud, **asked)
    assert (first["changed"], ran(capsys, cloud, **asked)["changed"]) == (True, False)
    assert cloud.named("template")["ours"]["TEMPLATE"]["CONTEXT"]["START_SCRIPT"] == 'echo "a]b" \\ <&>'
    assert ran(capsys, cloud, check=True, **asked, attributes={"memory": 1})["changed"] is True
    renewed = ran(capsys, cloud, **asked, attributes={"memory": 1})
    assert (renewed["changed"], renewed["id"]) == (True, first["id"])
    assert ran(capsys, cloud, **asked, attributes={"memory": 1})["changed"] is False
    assert cloud.written == ["template.allocate", "template.update"]


def test_a_template_is_removed_once(capsys, cloud) -> None:
    ran(capsys, cloud, base="Debian")
    assert [ran(capsys, cloud, state="absent")["changed"] for _time in range(2)] == [True, False]
    assert cloud.named("template").keys() == {"Debian"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"base": "Debain"}, "OpenNebula has no template called Debain that this user may use. There are: Debian."),
        (
            {"base": "Debian", "virtual_networks": ["fed"]},
            "OpenNebula has no network called fed that this user may use.",
        ),
        ({"base": "Debian", "disks": ["models"]}, "OpenNebula has no image called models that this user may use."),
        ({"base": "Debian", "password": "wrong"}, "OpenNebula says: [one.templatepool.info] User couldn't be"),
        ({}, "state is present but all of the following are missing: base"),
    ],
)
def test_what_cannot_be_is_told(capsys, cloud, arguments: dict, told: str) -> None:
    result = ran(capsys, cloud, **arguments)
    assert (result["failed"], cloud.written) == (True, [])
    assert result["msg"].startswith(told)
