#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opennebula_ready
short_description: Tell OneGate that a machine of OpenNebula is ready
version_added: 0.1.0
description:
  - Publishes C(READY=YES), for which OneFlow can wait, the role of the machine, and where SuperNodes connect to.
  - Does nothing on a machine whose context has no token. The token is never returned or logged.
  - The playbook C(fedops.flower.site) ends with it where C(opennebula_context) is true.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.opennebula.changing
  - fedops.flower.opennebula.context
  - fedops.flower.opennebula.https
attributes:
  platform:
    description: Target operating systems on which this module works.
    platforms: linux
    support: full
options:
  role:
    description: What the machine is.
    type: str
    choices: [superlink, supernode]
    required: true
  fleet_address:
    description:
      - The address that SuperNodes connect to, a name or an IPv4 address. By default that on the way to OneGate.
      - An IPv6 address is not published, because OneGate takes brackets for something else.
    type: str
  fleet_port:
    description: The port that SuperNodes connect to. Required for O(role=superlink).
    type: int
"""

EXAMPLES = r"""
- name: Tell OneGate that the SuperLink is ready
  fedops.flower.opennebula_ready:
    role: superlink
    fleet_port: 9092
  become: true
"""

RETURN = r"""
published:
  description: What OneGate has been told; empty when the machine has no token.
  returned: success
  type: dict
  sample: {"READY": "YES", "FL_READY": "YES", "FL_ROLE": "superlink", "FL_ENDPOINT": "192.0.2.10:9092"}
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._console.machine_context import (
    CONTEXT_OPTIONS,
    TOKEN_FILE,
    read,
)
from ansible_collections.fedops.flower.plugins.module_utils._console.onegate import onegate


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONTEXT_OPTIONS,
            "role": {"type": "str", "choices": ["superlink", "supernode"], "required": True},
            "fleet_address": {"type": "str"},
            "fleet_port": {"type": "int"},
            "validate_certs": {"type": "bool", "default": True},
        },
        required_if=[("role", "superlink", ["fleet_port"])],
        supports_check_mode=True,
    )
    params = module.params
    facts, changed = {}, False
    with module.explaining("read", advice="Run it as root."):
        places = params["directory"], params["device"], module.tmpdir
        gate = onegate(read(*places)[1], lambda: read(*places, TOKEN_FILE)[1], params["validate_certs"])
        if gate is not None:
            facts = {"READY": "YES", "FL_ROLE": params["role"]}
            if params["role"] == "superlink":
                facts["FL_READY"] = "YES"
                address = params["fleet_address"] or gate.address()
                if ":" not in address:
                    facts["FL_ENDPOINT"] = f"{address}:{params['fleet_port']}"
            else:
                facts["FL_NODE_READY"] = "YES"
            told = gate.told()
            changed = any(told.get(name) != value for name, value in facts.items())
            if changed and not module.check_mode:
                gate.tell(facts)
    module.exit_json(changed=changed, published=facts)


if __name__ == "__main__":
    main()
