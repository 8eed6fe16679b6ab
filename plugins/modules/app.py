#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: app
short_description: Deploy a Flower app and build its FAB
version_added: 0.1.0
description:
  - Copies the source of a Flower app from the controller to the SuperLink host and builds the Flower App Bundle (FAB)
    there, so that an app that Flower would refuse is refused before any run.
  - Executes and imports nothing of the app. A user that systemd makes for the build reads it, without a network or any
    rights, and with limited time and memory.
  - The files travel as one archive, and only if the host does not have them yet.
  - An app replaces an older one of the same name as a whole. If it does not build, the older one stays in place.
author:
  - fedops.flower contributors (@fedops)
extends_documentation_fragment:
  - fedops.flower.layout
  - fedops.flower.sent
attributes:
  check_mode:
    description: Can run in check mode and tell whether the app would be deployed.
    support: full
  diff_mode:
    description: Returns the names of the files that come, change and go.
    support: full
  idempotent:
    description: When run twice in a row with the same source, the second run changes nothing.
    support: full
options:
  src:
    description:
      - Folder of the Flower app on the controller, the one that holds C(pyproject.toml).
    type: path
    required: true
  overlay:
    description:
      - Files on the controller that replace, or join, files of the app.
        A key is a path relative to O(src), its value the file that takes this place.
    type: dict
    default: {}
  kit:
    description:
      - Whether to put C(fedops_kit) into the app, for a ServerApp that keeps its strategy with it.
      - It then declares the keys of the kit, in the table C(fedops) of its run configuration. An app that has something
        of these names already, or that does not use the kit, is refused.
    type: bool
    default: false
  home:
    description:
      - Home of Flower on the host. The app is deployed to C(app/<name>) below it.
  name:
    description:
      - Name of the app. It is read from C(pyproject.toml). Do not set it.
    type: str
  checksum:
    description:
      - Digest of the source files. It is computed on the controller. Do not set it.
    type: str
seealso:
  - module: fedops.flower.training
"""

EXAMPLES = r"""
- name: Deploy an app of one's own
  fedops.flower.app:
    src: "{{ playbook_dir }}/my-flower-app"

- name: Exchange the model, the data and the training of the collection's app
  fedops.flower.app:
    src: "{{ playbook_dir }}/collections/ansible_collections/fedops/flower/files/fab"
    overlay:
      fedops_app/task.py: "{{ playbook_dir }}/files/my_task.py"

- name: Deploy an app whose ServerApp keeps its strategy
  fedops.flower.app:
    src: "{{ playbook_dir }}/my-flower-app"
    kit: true
"""

RETURN = r"""
path:
  description: The folder of the app on the host, ready for C(flwr run).
  returned: always
  type: str
  sample: /opt/flower/app/fedops-app
fab_file:
  description: The built FAB on the host.
  returned: when the app is deployed
  type: str
  sample: /opt/flower/app/fedops.fedops-app.0-1-0.1a2b3c4d.fab
fab_hash:
  description: SHA-256 of the FAB. Flower shows the first eight characters of it for each run.
  returned: when the app is deployed
  type: str
  sample: 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f809
app:
  description: What the app's C(pyproject.toml) says.
  returned: success
  type: dict
  contains:
    id:
      description: Flower's id of the app.
      type: str
      sample: fedops/fedops-app
    name:
      description: Name of the app.
      type: str
      sample: fedops-app
    version:
      description: Version of the app.
      type: str
      sample: 0.1.0
    config:
      description: Each run-config key that the app declares, with its default.
      type: dict
      sample: {"num-rounds": 3}
"""

from ansible_collections.fedops.flower.plugins.module_utils._base.module import AnsibleModule
from ansible_collections.fedops.flower.plugins.module_utils._base.options import HOME_OPTION
from ansible_collections.fedops.flower.plugins.module_utils._flower.deployment import (
    AppDeployment,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "overlay": {"type": "dict", "default": {}},
            "kit": {"type": "bool", "default": False},
            **HOME_OPTION,
            "name": {"type": "str"},
            "checksum": {"type": "str"},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    with module.explaining("written"):
        deployment = AppDeployment(module.params["home"], module.params["name"])
        result = deployment.ensure(module.params["checksum"], module.params["archive"], module.check_mode)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
