#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opennebula_vm_template
short_description: Make a virtual machine template of OpenNebula from another one
version_added: 0.1.0
description:
  - Copies a template and adds what a machine of a federation needs. Images and networks are looked up by their
    names among those that the user may use.
  - Machines that run keep what they were started with.
  - The context asks for a token, so that the machine can tell OneGate when it is ready, and does not report it before.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.opennebula
  - fedops.flower.opennebula.changing
  - fedops.flower.opennebula.https
options:
  name:
    description: Name of the template.
    type: str
    required: true
  base:
    description: Name or number of the template that is copied. Required for O(state=present).
    type: str
  disks:
    description:
      - Names or numbers of images that are attached behind the disks of O(base).
      - In check mode, one that is not there yet is left out.
    type: list
    elements: str
    default: []
  virtual_networks:
    description: Names or numbers of networks, in the place of those of O(base) unless there are none.
    type: list
    elements: str
    default: []
  context:
    description: Variables of the context, which win over those of O(base).
    type: dict
    default: {}
  attributes:
    description: Attributes of the template, such as C(MEMORY), which win over those of O(base).
    type: dict
    default: {}
  vm_group:
    description: Number of a group of machines, as M(fedops.flower.opennebula_vm_group) returns it.
    type: int
  role:
    description: Role in that group.
    type: str
  state:
    description: Whether the template is there. Images stay.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Make a template with a disk that outlives the machine
  fedops.flower.opennebula_vm_template:
    name: flower-superlink
    base: Debian 12
    disks: [flower-checkpoints]
    virtual_networks: [federation]
    context:
      FL_STRATEGY: FedProx
"""

RETURN = r"""
id:
  description: Number of the template; null when it is not there.
  returned: success
  type: int
  sample: 12
"""

from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._console.machine_template import derived, plain
from ansible_collections.fedops.flower.plugins.module_utils._console.one_server import (
    MINE,
    ONE_OPTIONS,
    REPLACE,
    USABLE,
    connected,
    named,
    required,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ONE_OPTIONS,
            "name": {"type": "str", "required": True},
            "base": {"type": "str"},
            "disks": {"type": "list", "elements": "str", "default": []},
            "virtual_networks": {"type": "list", "elements": "str", "default": []},
            "context": {"type": "dict", "default": {}},
            "attributes": {"type": "dict", "default": {}},
            "vm_group": {"type": "int"},
            "role": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ["base"])],
        required_together=[("vm_group", "role")],
        supports_check_mode=True,
    )
    with module.explaining("reached"), connected(module.params) as one:
        found = named(one.templatepool.info(*MINE).VMTEMPLATE, module.params["name"])
        if module.params["state"] == "present":
            changed, number = _present(one, found, module.params, module.check_mode)
        else:
            changed, number = found is not None, None
            if found is not None and not module.check_mode:
                one.template.delete(found.ID)
    module.exit_json(changed=changed, id=number)


def _present(one: Any, found: Any, params: dict[str, Any], check_mode: bool) -> tuple[bool, int | None]:
    """Return whether the template differs, and its number."""
    wanted = {"TEMPLATE": _wanted(one, params, check_mode)}
    if found is None:
        wanted["TEMPLATE"]["NAME"] = params["name"]
        return True, None if check_mode else one.template.allocate(wanted)
    changed = plain(found.TEMPLATE) != wanted["TEMPLATE"]
    if changed and not check_mode:
        one.template.update(found.ID, wanted, REPLACE)
    return changed, found.ID


def _wanted(one: Any, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    base = required(one.templatepool.info(*USABLE).VMTEMPLATE, params["base"], "template")
    images = one.imagepool.info(*USABLE).IMAGE if params["disks"] else []
    networks = one.vnpool.info(*USABLE).VNET if params["virtual_networks"] else []
    disks = [name for name in params["disks"] if not check_mode or named(images, name)]
    return derived(
        base.TEMPLATE,
        disks=[{"IMAGE_ID": required(images, name, "image").ID, "DEV_PREFIX": "vd"} for name in disks],
        networks=[{"NETWORK_ID": required(networks, name, "network").ID} for name in params["virtual_networks"]],
        context=params["context"],
        attributes=params["attributes"],
        group={"VMGROUP_ID": params["vm_group"], "ROLE": params["role"]} if params["role"] else None,
    )


if __name__ == "__main__":
    main()
