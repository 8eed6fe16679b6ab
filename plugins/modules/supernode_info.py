#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supernode_info
short_description: List the SuperNodes of the federation
version_added: 0.1.0
description:
  - Lists the SuperNodes that the SuperLink knows, with the names under which M(fedops.flower.supernode) has
    registered them.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr
  - fedops.flower.flwr.info
options:
  unregistered:
    description:
      - Whether to list SuperNodes as well that were unregistered.
    type: bool
    default: false
seealso:
  - module: fedops.flower.supernode
"""

EXAMPLES = r"""
- name: List the SuperNodes
  fedops.flower.supernode_info:
  register: federation

- name: Tell which are online
  ansible.builtin.debug:
    msg: "{{ federation.supernodes | selectattr('status', 'equalto', 'online') | map(attribute='name') }}"
"""

RETURN = r"""
supernodes:
  description: The SuperNodes, in the order of their names.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the SuperNode; null for one that was not registered by the collection.
      type: str
      sample: hospital-a
    node_id:
      description: Flower's id of the SuperNode.
      type: str
      sample: "17856385283664728171"
    fingerprint:
      description: Fingerprint of its public key; null for one that was not registered by the collection.
      type: str
      sample: SHA256:r4YCZxihVjedH2OlfjVGI6Y5xAYtdCwk8VxKyzVyYfM
    status:
      description:
        - State of the SuperNode, V(registered) (it has never joined), V(online), V(offline) or V(unregistered).
      type: str
      sample: online
    registered_at:
      description: When it was registered.
      type: str
      sample: "2026-11-23 06:22:12Z"
    online_at:
      description: When it last went online; null if it never did.
      type: str
      sample: "2026-11-23 06:23:21Z"
    offline_at:
      description: When it last went offline; null if it never did.
      type: str
      sample: "2026-11-23 06:23:57Z"
online:
  description: How many of them are online.
  returned: success
  type: int
  sample: 3
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._flwr import Flwr, FlwrError, FlwrMissingError
from ansible_collections.fedops.flower.plugins.module_utils._supernodes import list_supernodes


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "home": {"type": "path", "default": "/opt/flower"},
            "superlink": {"type": "str", "default": "local"},
            "unregistered": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        rows = list_supernodes(Flwr(module.params["home"], module.params["superlink"]), module.params["unregistered"])
    except FlwrMissingError as error:
        # A host that is not deployed yet has none, and a rehearsal must be able to go on.
        if not module.check_mode:
            module.fail_json(msg=str(error))
        rows = []
    except FlwrError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, supernodes=rows, online=sum(row["status"] == "online" for row in rows))


if __name__ == "__main__":
    main()
