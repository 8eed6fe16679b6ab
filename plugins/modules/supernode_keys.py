#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supernode_keys
short_description: Make the keys of the SuperNodes of a host
version_added: 0.1.0
description:
  - Makes a private key for each SuperNode of a host, on that host, and returns the public ones, all in one execution.
  - Keys are ECDSA P-384 in OpenSSH form, made by C(ssh-keygen). An existing key is the identity of its SuperNode
    and is never replaced. If Flower cannot use one, the task fails before it makes any other.
  - Keys belong to root. systemd hands each to its SuperNode.
  - Lists the keys of SuperNodes that the host should no longer have.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell which keys would be made or removed.
    support: full
  diff_mode:
    description: Shows public keys before and after.
    support: full
options:
  home:
    description: Home of Flower. The keys lie in C(certificates) below it.
  host:
    description: Name of the SuperNode when it is the only one of its host.
    type: str
    required: true
  instances:
    description: Names of the SuperNodes when the host carries instances.
    type: list
    elements: str
    default: []
  purge:
    description:
      - Whether to remove the keys of SuperNodes that are not to be. Do it when they are unregistered, which is final
        for a key; until then RV(left) tells of them in each run.
    type: bool
    default: false
seealso:
  - module: fedops.flower.supernode
"""

EXAMPLES = r"""
- name: Have the key of a host that carries one SuperNode
  fedops.flower.supernode_keys:
    host: "{{ inventory_hostname }}"

- name: Have the keys of three SuperNodes
  fedops.flower.supernode_keys:
    host: "{{ inventory_hostname }}"
    instances: [ward-a, ward-b, ward-c]
"""

RETURN = r"""
supernodes:
  description: The SuperNodes, in the order given.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the SuperNode.
      type: str
      sample: ward-a
    public_key:
      description: Its public key as a line in OpenSSH form; empty in check mode for a key that would be made.
      type: str
      sample: ecdsa-sha2-nistp384 AAAAE2VjZHNh… ward-a
left:
  description: The same for SuperNodes whose keys are here and that should not exist.
  returned: success
  type: list
  elements: dict
  sample: []
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._supernode.keys import Key, Keys
from ansible_collections.fedops.flower.plugins.module_utils._supernode.place import INSTANCE_NAME, NAME_RULE


def lines(keys: list[Key], changed: bool = False) -> str:
    return "".join(f"{key.public_key or f'(to be made) {key.name}'}\n" for key in keys if not (changed and key.changed))


def rows(keys: list[Key]) -> list[dict[str, str]]:
    return [{"name": key.name, "public_key": key.public_key} for key in keys]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "host": {"type": "str", "required": True},
            "instances": {"type": "list", "elements": "str", "default": []},
            "purge": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params, instances = module.params, module.params["instances"]
    bad = [name for name in instances if not INSTANCE_NAME.fullmatch(name)]
    if bad:
        module.fail_json(msg="\n".join(f"The name of a SuperNode is '{name}' but {NAME_RULE}." for name in bad))
    with module.explaining("had"):
        keys = Keys(params["home"], params["host"], module.check_mode)
        had = keys.ensure(instances)
        left = keys.left(instances)
        if params["purge"]:
            keys.purge(instances)
    gone = bool(left) and params["purge"]
    module.exit_json(
        changed=gone or any(key.changed for key in had),
        supernodes=rows(had),
        left=rows(left),
        diff={
            "before": lines(had, changed=True) + lines(left),
            "after": lines(had) + ("" if gone else lines(left)),
        },
    )


if __name__ == "__main__":
    main()
