#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: opennebula_context_info
short_description: Read the FL_* variables in the context of an OpenNebula machine
version_added: 0.1.0
description:
  - Reads what the C(one-context) packages have left in O(directory), or the context device itself when they have not.
  - Nothing of it is run. What is not about Flower, tokens and passwords among it, is not returned.
  - Playbooks of the collection read the context of the SuperLink's host when C(opennebula_context) is true for it.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.flwr.info
  - fedops.flower.opennebula.context
attributes:
  platform:
    description: Target operating systems on which this module works.
    platforms: linux
    support: full
options:
  required:
    description: Whether a host without a context is an error.
    type: bool
    default: false
seealso:
  - plugin: fedops.flower.from_context
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the context
  fedops.flower.opennebula_context_info:
  become: true
  register: machine

- name: Show the training that it asks for
  ansible.builtin.debug:
    msg: "{{ machine.context | fedops.flower.from_context }}"
"""

RETURN = r"""
context:
  description:
    - The variables that are set and about Flower, without the prefix C(ONEAPP_). A name without it comes first.
    - Empty when the host has no context.
  returned: success
  type: dict
  sample: {"FL_STRATEGY": "FedAdam", "FL_NUM_ROUNDS": "10"}
source:
  description: The file or the device that was read; null when the host has no context.
  returned: success
  type: str
  sample: /var/run/one-context/one_env
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._console.machine import assignments, of_flower
from ansible_collections.fedops.flower.plugins.module_utils._console.machine_context import (
    CONTEXT_OPTIONS,
    NoContextError,
    read,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **CONTEXT_OPTIONS,
            "required": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    with module.explaining("read", advice="Run it as root."):
        source, text = read(params["directory"], params["device"], module.tmpdir)
        if source is None and params["required"]:
            raise NoContextError(
                f"The host has no context of OpenNebula: neither {params['directory']} nor {params['device']} has one."
                " Set opennebula_context to false for it."
            )
        context = of_flower(assignments(text))
    module.exit_json(changed=False, context=context, source=source)


if __name__ == "__main__":
    main()
