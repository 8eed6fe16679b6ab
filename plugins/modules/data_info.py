#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: data_info
short_description: Check whether ClientApps can read their data
version_added: 0.1.0
description:
  - Tries to read directories as a ClientApp would, with the rights of a group and no others.
  - Checks the form of the data if O(use_case) says what it is for.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.layout.group
  - fedops.flower.flwr.info
options:
  home:
    description: Home of Flower. Directories in C(data) below it are made when there are none, and may be missing.
  directories:
    description: The directories.
    type: list
    elements: path
    required: true
  use_case:
    description:
      - A task that the collection brings, as C(app_use_case) of the role P(fedops.flower.app#role) takes it.
      - The data are held against the form that it takes, as far as their files show it. A directory that is empty is
        filled later.
      - Without it nothing is looked into.
    type: str
"""

EXAMPLES = r"""
- name: Look whether ClientApps can read their data
  fedops.flower.data_info:
    directories: [/srv/patients]
  register: data
"""

RETURN = r"""
problems:
  description: What keeps ClientApps from reading them, with what to do.
  returned: success
  type: list
  elements: str
  sample: []
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.layout import APPS
from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._flower.use_cases import use_case
from ansible_collections.fedops.flower.plugins.module_utils._supernode.data import problems


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **HOME_OPTION,
            "directories": {"type": "list", "elements": "path", "required": True},
            "group": {"type": "str", "default": APPS.name},
            "gid": {"type": "int", "default": APPS.number},
            "use_case": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params = module.params
    with module.explaining("read"):
        asked = use_case(params["use_case"]).name if params["use_case"] else ""
    found = problems(params["directories"], params["home"], [params["gid"]], params["group"], asked)
    module.exit_json(changed=False, problems=found)


if __name__ == "__main__":
    main()
