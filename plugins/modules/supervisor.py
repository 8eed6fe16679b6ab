#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: supervisor
short_description: Install the program that supervises trainings
version_added: 0.1.0
description:
  - Installs the program and the template of its units on the SuperLink host; both belong to root.
  - M(fedops.flower.training) does the same for a training. This module is for a host whose trainings are paused.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.sent
  - fedops.flower.sent.program
  - fedops.flower.flwr.idempotent
attributes:
  check_mode:
    description: Can run in check mode and tell what would be installed.
    support: full
  diff_mode:
    description: Does not show what changes.
    support: none
options:
  unit:
    description: Text of the template of the units.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Install the supervisor of this release of the collection
  fedops.flower.supervisor:
    unit: "{{ lookup('ansible.builtin.template', 'flower-training@.service.j2') }}"
"""

RETURN = r"""
installed:
  description: What was not as it is now, V(program) and V(unit).
  returned: success
  type: list
  elements: str
  sample: [program, unit]
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._supervisor.control import SupervisorFiles


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "unit": {"type": "str", "required": True},
            "program": {"type": "str"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    installation = SupervisorFiles(params["home"], params["program"], params["unit"])
    differences = installation.differences()
    if not module.check_mode:
        if "program" in differences and not params["archive"]:
            module.exit_json(changed=False, needs_archive=True)
        with module.explaining("written"):
            installation.install(differences, params["archive"])
    module.exit_json(changed=bool(differences), installed=list(differences))


if __name__ == "__main__":
    main()
