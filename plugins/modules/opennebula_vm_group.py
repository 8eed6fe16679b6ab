#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opennebula_vm_group
short_description: Keep virtual machines of OpenNebula on different hosts
version_added: 0.1.0
description:
  - Makes a group of virtual machines of which no two ever run on one host of OpenNebula, so that the loss of a host
    takes one of them at most.
  - A machine belongs to the group through its template, as M(fedops.flower.opennebula_vm_template) writes it.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.opennebula
  - fedops.flower.opennebula.changing
  - fedops.flower.opennebula.https
options:
  name:
    description: Name of the group.
    type: str
    required: true
  roles:
    description: Names of the roles that machines have in it. OpenNebula cannot change them once the group is there.
    type: list
    elements: str
    default: [superlink, supernode]
  state:
    description: Whether the group is there. Only a group without machines can be removed.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep the machines of a federation apart
  fedops.flower.opennebula_vm_group:
    name: flower
"""

RETURN = r"""
id:
  description: Number of the group; null when it is not there.
  returned: success
  type: int
  sample: 4
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._console.one_server import (
    MINE,
    ONE_OPTIONS,
    OneServerError,
    connected,
    named,
)

APART = "ANTI_AFFINED"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ONE_OPTIONS,
            "name": {"type": "str", "required": True},
            "roles": {"type": "list", "elements": "str", "default": ["superlink", "supernode"]},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    name, roles, present = module.params["name"], module.params["roles"], module.params["state"] == "present"
    with module.explaining("reached"), connected(module.params) as one:
        found = named(one.vmgrouppool.info(*MINE).VM_GROUP, name)
        changed = (found is not None) != present
        number = found.ID if found is not None else None
        if present and found is not None:
            there = {role.NAME: role.POLICY for role in found.ROLES.ROLE}
            if there != dict.fromkeys(roles, APART):
                raise OneServerError(
                    f"The group {name} of OpenNebula has the roles {there} but must have {', '.join(roles)}, each"
                    f" {APART}. Remove it, or choose another name."
                )
        elif changed and not module.check_mode:
            if present:
                group = {"NAME": name, "ROLE": [{"NAME": role, "POLICY": APART} for role in roles]}
                apart = {APART: ",".join(roles)} if len(roles) > 1 else {}
                number = one.vmgroup.allocate({"TEMPLATE": {**group, **apart}})
            else:
                one.vmgroup.delete(number)
                number = None
    module.exit_json(changed=changed, id=number)


if __name__ == "__main__":
    main()
