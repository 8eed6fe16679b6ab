#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supernode
short_description: Register SuperNodes by their public keys
version_added: 0.1.0
description:
  - Registers SuperNodes at the SuperLink, so that they, and nobody else, can join the federation, or unregisters them.
  - Flower lists its nodes without names or keys, so the module keeps a registry of them in C(records/supernodes.json)
    below O(home), which only root writes. If it is lost, it is rebuilt from the state database.
  - The gateway takes large requests only from the keys in C(records/keys), where the module keeps every key that is
    registered. This needs no reload of the gateway.
  - A name that comes with another key replaces the node of that name. Refuses a key that is given for two names, or
    that is registered under another name of the inventory.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell which SuperNodes would be registered or unregistered.
    support: full
  diff_mode:
    description: Shows the fingerprint of the key of each SuperNode before and after.
    support: full
options:
  name:
    description:
      - Name of the SuperNode, for example the name of its host. Give either O(name) or O(supernodes).
    type: str
  public_key:
    description:
      - The public key of the SuperNode as a line in OpenSSH form. Flower takes keys on the NIST curves only.
      - Required for O(state=present).
    type: str
  state:
    description:
      - Whether the SuperNode may join.
      - V(absent) is final for its key; to come back it needs a new one.
    type: str
    choices: [present, absent]
    default: present
  supernodes:
    description:
      - Several SuperNodes at once. They are listed once, and only what is missing costs a call of Flower.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the SuperNode.
        type: str
        required: true
      public_key:
        description:
          - The public key of the SuperNode as a line in OpenSSH form.
        type: str
      state:
        description:
          - Whether the SuperNode may join.
        type: str
        choices: [present, absent]
        default: present
      site:
        description: What the inventory calls its site. Apps know it by this name.
        type: str
        default: ""
      host:
        description: The host of the inventory that carries it.
        type: str
        default: ""
  inventory:
    description:
      - The names of all SuperNodes of the inventory. A warning and RV(left) name the SuperNodes that are registered and
        not among them. They stay registered.
    type: list
    elements: str
    default: []
  hosts:
    description:
      - Unregister the SuperNodes that these hosts carried, by the registry, and that O(inventory) has no more.
    type: list
    elements: str
    default: []
seealso:
  - module: fedops.flower.supernode_info
"""

EXAMPLES = r"""
- name: Let one SuperNode join
  fedops.flower.supernode:
    name: hospital-a
    public_key: "{{ lookup('ansible.builtin.file', 'hospital-a.pub') }}"

- name: Let every SuperNode of the inventory join
  fedops.flower.supernode:
    supernodes: "{{ nodes }}"
  vars:
    nodes:
      - name: hospital-a
        public_key: "{{ hostvars['hospital-a'].supernode_public_key }}"
      - name: hospital-b
        public_key: "{{ hostvars['hospital-b'].supernode_public_key }}"

- name: Expel a SuperNode for good
  fedops.flower.supernode:
    name: hospital-b
    state: absent
"""

RETURN = r"""
node_id:
  description: Flower's id of the SuperNode; null in check mode for one that would be registered.
  returned: when O(name) is given
  type: str
  sample: "17856385283664728171"
fingerprint:
  description: Fingerprint of its public key, as C(ssh-keygen -l) shows it.
  returned: when O(name) is given
  type: str
  sample: SHA256:r4YCZxihVjedH2OlfjVGI6Y5xAYtdCwk8VxKyzVyYfM
status:
  description:
    - State of the SuperNode, V(registered) (it has never joined), V(online), V(offline) or V(absent).
  returned: when O(name) is given
  type: str
  sample: online
refused:
  description: For each name that was given with the key of another, why it got nothing.
  returned: success
  type: dict
  sample: {"hospital-b": "its key (SHA256:…) is that of hospital-a"}
left:
  description: SuperNodes that are registered, and that O(inventory) does not have.
  returned: when O(inventory) is given
  type: list
  elements: str
  sample: [hospital-c]
supernodes:
  description: Each SuperNode that was asked for and not refused, in the order given, and those that were unregistered.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the SuperNode.
      type: str
      sample: hospital-a
    node_id:
      description: Flower's id of the SuperNode.
      type: str
      sample: "17856385283664728171"
    fingerprint:
      description: Fingerprint of its public key.
      type: str
      sample: SHA256:r4YCZxihVjedH2OlfjVGI6Y5xAYtdCwk8VxKyzVyYfM
    status:
      description: State of the SuperNode.
      type: str
      sample: online
    changed:
      description: Whether it was registered, unregistered, replaced or renamed.
      type: bool
      sample: false
"""

from typing import Any

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import FLWR_OPTIONS
from ansible_collections.fedops.flower.plugins.module_utils._flower.cli import Flwr
from ansible_collections.fedops.flower.plugins.module_utils._supernode.external import left_text
from ansible_collections.fedops.flower.plugins.module_utils._supernode.ledger import Ledger
from ansible_collections.fedops.flower.plugins.module_utils._supernode.registry import (
    Registrar,
    WantedSuperNode,
    check,
)


def main() -> None:
    one = {
        "name": {"type": "str"},
        "public_key": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    about = {"site": {"type": "str", "default": ""}, "host": {"type": "str", "default": ""}}
    many = {**one, **about, "name": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            **FLWR_OPTIONS,
            **one,
            "supernodes": {"type": "list", "elements": "dict", "options": many},
            "inventory": {"type": "list", "elements": "str", "default": []},
            "hosts": {"type": "list", "elements": "str", "default": []},
        },
        mutually_exclusive=[("name", "supernodes"), ("public_key", "supernodes")],
        required_one_of=[("name", "supernodes")],
        supports_check_mode=True,
    )
    params = module.params
    asked = params["supernodes"] if params["supernodes"] is not None else [params]
    wanted = [
        WantedSuperNode(item["name"], item["public_key"], item["state"], item.get("site", ""), item.get("host", ""))
        for item in asked
    ]
    problems = check(wanted)
    if problems:
        module.fail_json(msg="\n".join(problems), problems=problems)

    flwr = Flwr(params["home"], params["superlink"], module.check_mode)
    outcomes: list[dict[str, Any]] = []
    before: list[Any] = []
    refused: dict[str, str] = {}
    registrar: Registrar | None = None

    def so_far() -> dict[str, Any]:
        return {"changed": registrar is not None and registrar.ledger.members != before, "supernodes": outcomes}

    with module.explaining("written", found=so_far), flwr.staying():
        before = Ledger(flwr.home).members
        registrar = Registrar(flwr, flwr.supernodes(), module.check_mode, params["inventory"])
        refused = registrar.refusals(wanted)
        wanted = [one for one in wanted if one.name not in refused] + registrar.gone(params["hosts"])
        outcomes.extend(registrar.ensure(wanted))
        admitted = registrar.admit()

    result: dict[str, Any] = {"changed": admitted or any(item["changed"] for item in outcomes), "supernodes": outcomes}
    if refused and params["supernodes"] is None:
        module.fail_json(msg="\n".join(f"{name} was not registered: {why}." for name, why in refused.items()))
    result["refused"] = refused
    if params["inventory"]:
        after = Ledger(flwr.home).members if not module.check_mode else before
        leaving = {item["name"] for item in outcomes if item["status"] == "absent"}
        left = sorted({member.name for member in after} - {*params["inventory"]} - leaving)
        result["left"] = left
        if left:
            module.warn(left_text(left))
    shown = {member.name: member.fingerprint for member in before}
    result["diff"] = {"before": shown, "after": _after(shown, outcomes)}
    if params["supernodes"] is None:
        result.update({key: outcomes[0][key] for key in ("node_id", "fingerprint", "status")})
    module.exit_json(**result)


def _after(before: dict[str, str], outcomes: list[dict[str, Any]]) -> dict[str, str]:
    """Return the names and fingerprints that there are in the end, in check mode those that there would be."""
    moved = {item["fingerprint"] for item in outcomes}
    after = {name: value for name, value in before.items() if value not in moved}
    for item in outcomes:
        after.pop(item["name"], None)
        if item["status"] != "absent":
            after[item["name"]] = item["fingerprint"]
    return dict(sorted(after.items()))


if __name__ == "__main__":
    main()
