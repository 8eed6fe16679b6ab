# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping machines of OpenNebula apart."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.fedops.flower.plugins.modules import opennebula_vm_group as module

from ...playbooks.opennebula_double import OpenNebula, serving


def ran(capsys, address: str, **arguments: object) -> dict:
    where = {"api_url": address, "api_username": "oneadmin", "api_password": "secret"}
    with patch_module_args({**where, "name": "ward", **arguments}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)


def test_a_group_is_made_and_removed_once(capsys) -> None:
    cloud = OpenNebula()
    with serving(cloud) as address:
        steps = [{}, {}, {"_ansible_check_mode": True, "state": "absent"}, {"state": "absent"}, {"state": "absent"}]
        assert [ran(capsys, address, **step)["changed"] for step in steps] == [True, False, True, True, False]
        assert cloud.written == ["vmgroup.allocate", "vmgroup.delete"]
        ran(capsys, address, roles=["one"])
        assert cloud.named("vmgroup")["ward"]["TEMPLATE"] == {}


def test_a_group_with_other_roles_is_not_taken(capsys) -> None:
    cloud = OpenNebula()
    role = {"ID": 0, "NAME": "database", "POLICY": "AFFINED"}
    cloud.add("vmgroup", "ward", {}, ROLES={"ROLE": [role]})
    with serving(cloud) as address:
        result = ran(capsys, address)
    assert result["failed"] is True
    assert result["msg"].startswith("The group ward of OpenNebula has the roles {'database': 'AFFINED'} but must have")
