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
  wait_for_online:
    description:
      - Return as soon as this many of them are online. Too few at the end of O(wait_seconds) are no failure.
        Check mode does not wait.
    type: int
    default: 0
  wait_for_names:
    description:
      - Return as soon as the SuperNodes of these names are online, in the same way.
    type: list
    elements: str
    default: []
  wait_seconds:
    description:
      - Wait at most this many seconds, also for a SuperLink that does not answer.
    type: float
    default: 0
seealso:
  - module: fedops.flower.supernode
"""

EXAMPLES = r"""
- name: List the SuperNodes
  fedops.flower.supernode_info:
  register: federation

- name: Give three of them a minute to come back
  fedops.flower.supernode_info:
    wait_for_online: 3
    wait_seconds: 60

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
    registered:
      description:
        - Whether the collection has registered it. V(false) is a node that was registered in another way.
      type: bool
      sample: true
    site:
      description: What the inventory calls its site; null for one that was not registered by the collection.
      type: str
      sample: Hospital A
    host:
      description: The host of the inventory that carries it; null for one that was not registered by the collection.
      type: str
      sample: hospital-a
    pseudonym:
      description:
        - What it is called in what is made to be passed on, such as the history of a training; null for one that was
          not registered by the collection.
      type: str
      sample: site-k3vq6dxt2m4a
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
  description: How many of those that the collection has registered are online.
  returned: success
  type: int
  sample: 3
"""

import time
from collections.abc import Collection
from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import FLWR_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._flower.answers import FlwrUnreachableError
from ansible_collections.fedops.flower.plugins.module_utils._flower.assumptions import ONLINE
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supernode.registry import list_supernodes, named

ASK_EVERY = 2.0  # seconds between two questions; asking takes another one


def wait(flwr: Flwr, unregistered: bool, wanted: int, names: Collection[str], seconds: float) -> list[dict[str, Any]]:
    """Return the SuperNodes once enough of them and all of these names are online, or when there is no more time."""
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            rows = list_supernodes(flwr, unregistered)
            missing = set(names) - {row["name"] for row in rows if row["status"] == ONLINE}
            if (len(named(rows, online=True)) >= wanted and not missing) or left <= 0:
                return rows
        except FlwrUnreachableError:
            if left <= 0:
                raise
        time.sleep(min(ASK_EVERY, max(left, 0.0)))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **FLWR_OPTIONS,
            "unregistered": {"type": "bool", "default": False},
            "wait_for_online": {"type": "int", "default": 0},
            "wait_for_names": {"type": "list", "elements": "str", "default": []},
            "wait_seconds": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )
    params = module.params
    seconds = 0.0 if module.check_mode else params["wait_seconds"]
    with module.explaining("read"):
        asked = params["unregistered"], params["wait_for_online"], params["wait_for_names"], seconds
        with Flwr(params["home"], params["superlink"], module.check_mode).staying() as flwr:
            rows = wait(flwr, *asked)
    module.exit_json(changed=False, supernodes=rows, online=len(named(rows, online=True)))


if __name__ == "__main__":
    main()
